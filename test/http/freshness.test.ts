import { deepEqual, equal } from 'node:assert/strict'
import { describe, test } from 'node:test'
import { directivesOf, msOf } from '../../src/http/cache-control.ts'
import { httpDate } from '../../src/http/date.ts'
import { ageOf, acceptedAge, hasCredentials, isCacheable, lifetimeOf } from '../../src/http/freshness.ts'
import type { ReplyHeaders } from '../../src/outcome/reply.ts'

const s = 1_000
const forEver = { fresh: 0, usable: Infinity }
const DATE = 'Sun, 06 Nov 1994 08:49:37 GMT'
const MINUTE_LATER = 'Sun, 06 Nov 1994 08:50:37 GMT'
const control = (text: string | string[]): ReplyHeaders => ({ 'cache-control': text })

describe('how long a reply may be kept', () => {
  const cases: readonly (readonly [what: string, headers: ReplyHeaders, lifetime: ReturnType<typeof lifetimeOf>])[] = [
    ['nothing is said', {}, forEver],
    ['max-age', control('max-age=60'), { fresh: 60 * s, usable: Infinity }],
    ['max-age, quoted, in capitals, among others', control('Public, MAX-AGE="60", x'), { fresh: 60 * s, usable: Infinity }],
    ['no-store', control('no-store'), undefined],
    ['no-store in a second line', control(['max-age=60', 'No-Store']), undefined],
    ['no-cache', control('no-cache'), undefined],
    ['no-cache for one field', control('no-cache="x-a", max-age=60'), undefined],
    ['private', control('private, max-age=60'), undefined],
    ['private for one field', control('private="x-a, x-b", max-age=60'), undefined],
    ['no-store inside of a quoted value only', control('x="no-store", max-age=60'), { fresh: 60 * s, usable: Infinity }],
    ['must-revalidate while fresh', control('max-age=60, must-revalidate'), { fresh: 60 * s, usable: 60 * s }],
    ['must-revalidate and never fresh', control('must-revalidate'), undefined],
    ['proxy-revalidate', control('max-age=60, proxy-revalidate'), { fresh: 60 * s, usable: 60 * s }],
    ['s-maxage over max-age, and never stale', control('max-age=600, s-maxage=60'), { fresh: 60 * s, usable: 60 * s }],
    ['stale-if-error beyond max-age', control('max-age=600, stale-if-error=1200'), { fresh: 600 * s, usable: 1_800 * s }],
    ['stale-if-error alone', control('stale-if-error=30'), { fresh: 0, usable: 30 * s }],
    ['stale-if-error=0 with nothing fresh', control('stale-if-error=0'), undefined],
    ['must-revalidate over stale-if-error', control('max-age=1, must-revalidate, stale-if-error=99'), { fresh: s, usable: s }],
    ['a max-age that is none, which is stale', control('max-age=soon'), forEver],
    ['a negative max-age under must-revalidate', control('max-age=-1, must-revalidate'), undefined],
    ['the first of two max-ages', control('max-age=1, max-age=99'), { fresh: s, usable: Infinity }],
    ['an endless max-age', control('max-age=99999999999999999999'), { fresh: 2 ** 31 * s, usable: Infinity }],
    ['expires', { expires: MINUTE_LATER, date: DATE }, { fresh: 60 * s, usable: Infinity }],
    ['expires under max-age', { expires: MINUTE_LATER, date: DATE, ...control('max-age=5') }, { fresh: 5 * s, usable: Infinity }],
    ['expires in the past', { expires: DATE, date: MINUTE_LATER, ...control('must-revalidate') }, undefined],
    ['expires: 0', { expires: '0', date: DATE, ...control('must-revalidate') }, undefined],
    ['set-cookie', { 'set-cookie': 'a=b', ...control('public, max-age=60') }, undefined],
    ['vary: *', { vary: '*' }, undefined],
    ['vary: * among others', { vary: ['accept', 'x-a, *'] }, undefined],
    ['vary by what tells requests apart', { vary: 'Accept, X-User' }, forEver],
    ['vary by what does not', { vary: 'Accept, Traceparent' }, undefined],
  ]
  for (const [what, headers, lifetime] of cases) {
    test(what, () => { deepEqual(lifetimeOf(200, headers, false), lifetime) })
  }

  test('only good replies that are whole are', () => {
    const codes = Array.from({ length: 500 }, (_, index) => index + 100)
    deepEqual(codes.filter(code => lifetimeOf(code, {}, false) !== undefined), [200, 203, 204])
  })

  test('the reply to a request with credentials of its caller only where it says that it is for all', () => {
    for (const text of ['', 'max-age=60', 'stale-if-error=60']) equal(lifetimeOf(200, control(text), true), undefined, text)
    for (const text of ['public', 's-maxage=60', 'max-age=60, must-revalidate']) {
      deepEqual(lifetimeOf(200, control(text), true), lifetimeOf(200, control(text), false), text)
    }
    equal(lifetimeOf(200, control('public, private'), true), undefined)
    const requests = [{ authorization: 'x' }, { cookie: 'x' }, { accept: 'x' }, undefined]
    deepEqual(requests.map(hasCredentials), [true, true, false, false])
  })
})

describe('a request', () => {
  test('for a part, under a condition or with no-store is no matter for the cache', () => {
    for (const headers of [{ range: 'bytes=0-1' }, { 'if-none-match': 'x' }, { 'if-range': 'x' }, control('no-store')]) {
      equal(isCacheable(headers as Record<string, string>), false, JSON.stringify(headers))
    }
    for (const headers of [{}, { 'accept': 'x', 'cache-control': 'no-cache' }]) equal(isCacheable(headers), true)
  })

  test('may bound the age of what it is served', () => {
    const lifetime = { fresh: 60 * s, usable: Infinity }
    const wanted = (text?: string): number => acceptedAge(text === undefined ? {} : { 'cache-control': text }, lifetime)
    deepEqual([undefined, '', 'max-age=5', 'stale-if-error=5', 'max-age=99, stale-if-error=5', 'no-cache'].map(wanted),
      [Infinity, Infinity, 5 * s, 65 * s, 65 * s, -1])
  })
})

test('a reply is as old as the caches on its way say, and as it took', () => {
  equal(ageOf({}, 120), 120)
  equal(ageOf({ age: '30' }, 120), 30_120)
  equal(ageOf({ age: 'old' }, 120), 120)
})

test('directives are read however they are written', () => {
  const found = [...directivesOf(' a ,, b = 1;c="x, \\" y" , =d, "e"')]
  deepEqual(found, [['a', ''], ['b', '1'], ['c', 'x, \\" y'], ['d', ''], ['e', '']])
  deepEqual([...directivesOf('a="open, b=1')], [['a', '"open'], ['b', '1']])
  deepEqual([...directivesOf(undefined)], [])
  equal(msOf(directivesOf('a=1.5'), 'a'), 0)
  equal(msOf(directivesOf('a=1'), 'b'), undefined)
})

test('a hostile Cache-Control is read in no time', () => {
  const texts = ['a="', 'a=', '\\"', ' ', 'a="\\', ',a = "'].map(piece => piece.repeat(20_000))
  for (const text of [...texts, `a="${'\\'.repeat(20_000)}`]) {
    const began = performance.now()
    directivesOf(text)
    const took = performance.now() - began
    equal(took < 500, true, `${took} ms for ${text.slice(0, 6)}…`)
  }
})

test('a date of HTTP has three forms, and nothing else is one', () => {
  const at = Date.UTC(1994, 10, 6, 8, 49, 37)
  for (const text of [DATE, 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']) equal(httpDate(text), at, text)
  for (const text of ['', '0', '2', '-3', 'soon', 'Sun, nonsense', '1994-11-06']) equal(httpDate(text), undefined, text)
})
