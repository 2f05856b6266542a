import { deepEqual, equal } from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { systemEnv } from '../../src/clock.ts'
import { StaleCache } from '../../src/layers/stale/cache.ts'
import { ownCopy } from '../../src/options/own-properties.ts'
import { Reply } from '../../src/outcome/reply.ts'
import { DynamicUpstreams } from '../../src/upstream/dynamic-upstreams.ts'
import type { Upstream } from '../../src/upstream/upstream.ts'

/** What lru-cache reads of its options, and of those of get() and set(). */
const READ = [
  'max', 'maxSize', 'maxEntrySize', 'ttl', 'ttlResolution', 'ttlAutopurge', 'updateAgeOnGet', 'updateAgeOnHas', 'allowStale',
  'dispose', 'onInsert', 'disposeAfter', 'noDisposeOnSet', 'noUpdateTTL', 'sizeCalculation', 'fetchMethod', 'memoMethod',
  'noDeleteOnStaleGet', 'backgroundFetchSize', 'perf', 'start', 'size', 'status',
]

/** Reads of Object.prototype while `run` runs. */
const readDuring = (t: TestContext, run: () => void): string[] => {
  const read: string[] = []
  const clear = (): void => { for (const name of READ) Reflect.deleteProperty(Object.prototype, name) }
  t.after(clear)
  for (const name of READ) {
    Object.defineProperty(Object.prototype, name, {
      configurable: true,
      get: () => {
        read.push(name)
        return undefined
      },
      set(value: unknown) { Object.defineProperty(this, name, { value, configurable: true, writable: true, enumerable: true }) },
    })
  }
  run()
  clear()
  return read
}

test('a cache of ours reads nothing from Object.prototype', t => {
  const reply = new Reply(200, {}, Buffer.from('x'))
  const stored = {
    uri: 'http://a/', lifetime: { fresh: 1, usable: 10 } as never, generatedAt: 0, usage: { entries: 0, bytes: 0 },
  }
  const upstream = { pinned: false } as never as Upstream
  let found: unknown[] = []
  // Its iterators read `allowStale` of an object of their own, which has no effect without a TTL: none is evicted here.
  deepEqual(readDuring(t, () => {
    const upstreams = new DynamicUpstreams(2, 1_000, systemEnv)
    upstreams.add('http://a', () => upstream)
    upstreams.add('http://b', () => upstream)
    const cache = new StaleCache(10_000)
    cache.put('key', reply, stored)
    found = [upstreams.get('http://a') === upstream, upstreams.get('http://b') === upstream, cache.find('key', 1)?.age]
  }), [])
  deepEqual(found, [true, true, 1])
})

test('an own copy holds what is given, the later over the earlier, and inherits nothing', () => {
  const options = ownCopy({ max: 10, size: 1 }, { size: 2 })
  deepEqual(Object.entries(options), [['max', 10], ['size', 2]])
  equal('toString' in options, false)
})
