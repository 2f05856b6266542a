import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import v8 from 'node:v8'
import vm from 'node:vm'
import fc from 'fast-check'
import { StaleCache, type StaleUsage, type StoredWith } from '../../../src/layers/stale/cache.ts'
import { Reply } from '../../../src/outcome/reply.ts'
import { polluted } from '../../support/polluted.ts'

const lifetime = { fresh: 0, usable: 100 }
const none = (): StaleUsage => ({ entries: 0, bytes: 0 })
const storedWith = (uri: string, generatedAt = 0, usage = none()): StoredWith => ({ uri, lifetime, generatedAt, usage })

test('the cache keeps to its bounds, finds only what was put under the same key, and counts what it has', () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ put: fc.nat(5), user: fc.nat(2), size: fc.oneof(fc.nat(3_000), fc.constant(50_000)) }) },
    { weight: 3, arbitrary: fc.record({ find: fc.nat(5), user: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.record({ invalidate: fc.nat(5) }) },
    { weight: 1, arbitrary: fc.record({ remove: fc.nat(5), user: fc.nat(2) }) },
    { weight: 2, arbitrary: fc.record({ wait: fc.nat(60) }) },
  )
  fc.assert(fc.property(fc.integer({ min: 2_000, max: 12_000 }), fc.array(step, { maxLength: 120 }), (maxSize, steps) => {
    const cache = new StaleCache(maxSize)
    const usage = none()
    const last = new Map<string, { body: string; generatedAt: number }>()
    let [now, count] = [0, 0]
    for (const what of steps) {
      if ('put' in what) {
        const [uri, key] = [`u /${what.put}`, `u /${what.put}\nx: ${what.user}`]
        const body = `${count++}:`.padEnd(what.size, '.')
        cache.put(key, new Reply(200, {}, Buffer.from(body)), storedWith(uri, now, usage))
        last.set(key, { body, generatedAt: now })
      } else if ('find' in what) {
        const key = `u /${what.find}\nx: ${what.user}`
        const [found, expected] = [cache.find(key, now), last.get(key)]
        if (found === undefined) continue
        ok(expected !== undefined, 'nothing is found that was not put')
        deepEqual([found.reply().text(), found.age], [expected.body, now - expected.generatedAt])
        ok(found.age <= lifetime.usable)
      } else if ('invalidate' in what) {
        cache.invalidate(`u /${what.invalidate}`)
        for (const key of [...last.keys()]) if (key.startsWith(`u /${what.invalidate}\n`)) last.delete(key)
      } else if ('remove' in what) {
        cache.remove(`u /${what.remove}\nx: ${what.user}`)
        last.delete(`u /${what.remove}\nx: ${what.user}`)
      } else now += what.wait
      ok(cache.size <= maxSize, `${cache.size} bytes of ${maxSize}`)
      equal(usage.bytes, cache.size)
      ok(usage.entries <= last.size)
    }
    cache.clear()
    deepEqual(usage, none())
  }), { seed: 20_261_123, numRuns: 300 })
})

test('small replies are bounded in number, too: each counts for what it takes besides its body', () => {
  const cache = new StaleCache(100_000)
  const usage = none()
  for (let put = 0; put < 10_000; put++) cache.put(`k${put}`, new Reply(204, {}), storedWith(`u /${put}`, 0, usage))
  ok(usage.entries > 50 && usage.entries < 100, `${usage.entries} entries`)
})

test('what was used longest ago makes room', () => {
  const cache = new StaleCache(5_000)
  for (const key of ['a', 'b', 'c', 'd']) cache.put(key, new Reply(204, {}), storedWith(key))
  cache.find('a', 0)
  cache.put('e', new Reply(204, {}), storedWith('e'))
  deepEqual(['a', 'b', 'c', 'd', 'e'].filter(key => cache.find(key, 0) !== undefined), ['a', 'c', 'd', 'e'])
})

test('one that is larger than all of the cache takes away the one before, and nothing else', () => {
  const cache = new StaleCache(5_000)
  for (const key of ['a', 'b']) cache.put(key, new Reply(204, {}), storedWith(key))
  cache.put('a', new Reply(200, {}, Buffer.alloc(5_000)), storedWith('a'))
  deepEqual(['a', 'b'].map(key => cache.find(key, 0) !== undefined), [false, true])
})

test('changes to a reply do not reach the cache', () => {
  const cache = new StaleCache(100_000)
  const headers = { 'x-list': ['1', '2'], 'x-one': '1', 'connection': 'close', 'keep-alive': 'timeout=5' }
  const original = new Reply(200, headers, Buffer.from('good'))
  cache.put('k', original, storedWith('u'))
  const seen = (): unknown => {
    const reply = cache.find('k', 0)!.reply()
    return [reply.text(), reply.headers]
  }
  const expected = ['good', { 'x-list': ['1', '2'], 'x-one': '1', 'age': '0' }]
  deepEqual(seen(), expected)
  for (const reply of [original, cache.find('k', 0)!.reply()]) {
    reply.bytes().fill(0)
    ;(reply.headers['x-list'] as string[]).push('3')
    ;(reply.headers as Record<string, string>)['x-one'] = '2'
  }
  deepEqual(seen(), expected)
})

test('nothing is read off Object.prototype', () => {
  const unread = (): never => { throw new Error('read') }
  polluted({ get start() { return unread() }, get ttl() { return unread() }, get status() { return unread() } }, () => {
    const lastGood = new StaleCache(5_000)
    lastGood.put('k', new Reply(204, {}), { uri: 'u', lifetime, generatedAt: 0, usage: none() })
    equal(lastGood.find('k', 0)?.reply().status, 204)
  })
})

test('the size that is counted is not less than the memory that is taken, however small the header fields are', () => {
  v8.setFlagsFromString('--expose-gc')
  const gc = vm.runInNewContext('gc') as () => void
  const cache = new StaleCache(10_000_000)
  const usage = none()
  const put = (i: number): void => {
    const headers = Object.fromEntries(Array.from({ length: 1_500 }, (_, field) => [`k${i}-${field}`, 'v']))
    cache.put(`k${i}`, new Reply(200, headers, Buffer.from('good')), storedWith(`u /${i}`, 0, usage))
  }
  put(0)
  gc()
  const before = process.memoryUsage().heapUsed
  for (let i = 1; i <= 500; i++) put(i)
  gc()
  const taken = process.memoryUsage().heapUsed - before
  ok(usage.entries > 100 && taken < 1.2 * usage.bytes, `${usage.entries} entries, ${usage.bytes} bytes counted, ${taken} taken`)
})
