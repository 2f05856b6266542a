import { equal, notEqual } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { mergedFields, requestKey, uriKey } from '../../src/http/request-key.ts'

const name = fc.constantFrom('a', 'b', 'x-user', 'authorization', 'cookie', 'accept')
// What the options let through: no line break, no other control character.
const value = fc.string({ unit: fc.constantFrom('a', 'b', ':', ' ', ',', '"', '=', '\\'), maxLength: 6 })
const fields = fc.dictionary(name, fc.oneof(value, fc.array(value, { minLength: 2, maxLength: 3 })), { noNullPrototype: true })
const target = fc.constantFrom('/', '/a', '/a?b=1', '/a?b=2')
const request = fc.record({ target, fields })

test('two requests have the same key if and only if they ask for the same', () => {
  const meaning = (asked: { target: string; fields: Record<string, string | string[]> }): string =>
    JSON.stringify([asked.target, Object.keys(asked.fields).sort().map(key => [key, [asked.fields[key]].flat()])])
  fc.assert(fc.property(request, request, (one, other) => {
    const same = requestKey('u', one.target, one.fields) === requestKey('u', other.target, other.fields)
    equal(same, meaning(one) === meaning(other), `${meaning(one)} and ${meaning(other)}`)
  }), { seed: 20_261_123, numRuns: 2_000 })
})

test('the order of header fields does not matter, nor do those of tracing, nor one taken out', () => {
  const key = requestKey('u', '/', { a: '1', b: '2' })
  equal(requestKey('u', '/', { b: '2', a: '1' }), key)
  equal(requestKey('u', '/', { 'a': '1', 'b': '2', 'traceparent': 'x', 'x-b3-traceid': 'y', 'x-request-id': 'z' }), key)
  equal(requestKey('u', '/', mergedFields({ a: '1', c: '3' }, { b: '2', c: undefined })), key)
  equal(requestKey('u', '/', mergedFields({ a: '0', b: '2' }, { a: '1' })), key)
})

test('another upstream, path or query is another resource', () => {
  const keys = [uriKey('v', '/'), ...['/', '/a', '/a?', '/a?b'].map(path => uriKey('u', path))]
  equal(new Set(keys).size, keys.length)
  notEqual(requestKey('u', '/', { baggage: 'user=1' }), requestKey('u', '/', { baggage: 'user=2' }))
})
