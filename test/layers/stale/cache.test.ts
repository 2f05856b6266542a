import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { StaleCache } from '../../../src/layers/stale/cache.ts'
import { Reply } from '../../../src/outcome/reply.ts'
import { polluted } from '../../support/polluted.ts'

const lifetime = { fresh: 0, usable: 100 }
const none = (): { entries: number; bytes: number } => ({ entries: 0, bytes: 0 })

test('the cache keeps to its bounds, finds only what was put under the same key, and counts what it has', () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ put: fc.nat(5), user: fc.nat(2), size: fc.oneof(fc.nat(3_000), fc.constant(50_000)) }) },
    { weight: 3, arbitrary: fc.record({ find: fc.nat(5), user: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.record({ invalidate: fc.nat(5) }) },
    { weight: 1, arbitrary: fc.record({ forget: fc.nat(5), user: fc.nat(2) }) },
    { weight: 2, arbitrary: fc.record({ wait: fc.nat(60) }) },
  )
  fc.assert(fc.property(fc.integer({ min: 2_000, max: 12_000 }), fc.array(step, { maxLength: 120 }), (maxSize, steps) => {
    const lastGood = new StaleCache(maxSize)
    const kept = none()
    const last = new Map<string, { body: string; bornAt: number }>()
    let [now, count] = [0, 0]
    for (const what of steps) {
      if ('put' in what) {
        const [uri, key] = [`u /${what.put}`, `u /${what.put}\nx: ${what.user}`]
        const body = `${count++}:`.padEnd(what.size, '.')
        lastGood.put(key, uri, new Reply(200, {}, Buffer.from(body)), lifetime, now, kept)
        last.set(key, { body, bornAt: now })
      } else if ('find' in what) {
        const key = `u /${what.find}\nx: ${what.user}`
        const [found, expected] = [lastGood.find(key, now), last.get(key)]
        if (found === undefined) continue
        ok(expected !== undefined, 'nothing is found that was not put')
        deepEqual([found.reply().text(), found.age], [expected.body, now - expected.bornAt])
        ok(found.age <= lifetime.usable)
      } else if ('invalidate' in what) {
        lastGood.invalidate(`u /${what.invalidate}`)
        for (const key of [...last.keys()]) if (key.startsWith(`u /${what.invalidate}\n`)) last.delete(key)
      } else if ('forget' in what) {
        lastGood.forget(`u /${what.forget}\nx: ${what.user}`)
        last.delete(`u /${what.forget}\nx: ${what.user}`)
      } else now += what.wait
      ok(lastGood.size <= maxSize, `${lastGood.size} bytes of ${maxSize}`)
      equal(kept.bytes, lastGood.size)
      ok(kept.entries <= last.size)
    }
    lastGood.clear()
    deepEqual(kept, none())
  }), { seed: 20_261_123, numRuns: 300 })
})

test('small replies are bounded in number, too: each counts for what it takes besides its body', () => {
  const lastGood = new StaleCache(100_000)
  const kept = none()
  for (let put = 0; put < 10_000; put++) lastGood.put(`k${put}`, `u /${put}`, new Reply(204, {}), lifetime, 0, kept)
  ok(kept.entries > 50 && kept.entries < 100, `${kept.entries} entries`)
})

test('what was used longest ago makes room', () => {
  const lastGood = new StaleCache(5_000)
  for (const key of ['a', 'b', 'c', 'd']) lastGood.put(key, key, new Reply(204, {}), lifetime, 0, none())
  lastGood.find('a', 0)
  lastGood.put('e', 'e', new Reply(204, {}), lifetime, 0, none())
  deepEqual(['a', 'b', 'c', 'd', 'e'].filter(key => lastGood.find(key, 0) !== undefined), ['a', 'c', 'd', 'e'])
})

test('one that is larger than all of the cache takes away the one before, and nothing else', () => {
  const lastGood = new StaleCache(5_000)
  for (const key of ['a', 'b']) lastGood.put(key, key, new Reply(204, {}), lifetime, 0, none())
  lastGood.put('a', 'a', new Reply(200, {}, Buffer.alloc(5_000)), lifetime, 0, none())
  deepEqual(['a', 'b'].map(key => lastGood.find(key, 0) !== undefined), [false, true])
})

test('nobody can change what is kept', () => {
  const lastGood = new StaleCache(100_000)
  const headers = { 'x-list': ['1', '2'], 'x-one': '1', 'connection': 'close', 'keep-alive': 'timeout=5' }
  const original = new Reply(200, headers, Buffer.from('good'))
  lastGood.put('k', 'u', original, lifetime, 0, none())
  const seen = (): unknown => {
    const reply = lastGood.find('k', 0)!.reply()
    return [reply.text(), reply.headers]
  }
  const expected = ['good', { 'x-list': ['1', '2'], 'x-one': '1', 'age': '0' }]
  deepEqual(seen(), expected)
  for (const reply of [original, lastGood.find('k', 0)!.reply()]) {
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
    lastGood.put('k', 'u', new Reply(204, {}), lifetime, 0, none())
    equal(lastGood.find('k', 0)?.reply().status, 204)
  })
})
