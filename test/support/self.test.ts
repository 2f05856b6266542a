import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict'
import { createServer } from 'node:http'
import { suite, test } from 'node:test'
import { closing, eventually, inTime, leaks, NeverHappened } from './check.ts'
import { createTestClock, loadedDice, seededRandom, testEnv } from './clock.ts'
import { scripted } from './scripted.ts'
import { listen } from './server.ts'

suite('the test clock', () => {
  test('fires timers in due order, equals in the order they were armed', async () => {
    const clock = createTestClock()
    const fired: string[] = []
    clock.after(20, () => fired.push('20'))
    clock.after(10, () => fired.push('10 first'))
    clock.after(10, () => fired.push('10 second'))
    clock.after(0, () => fired.push('0'))
    equal(clock.pending, 4)
    await clock.advance(19)
    deepEqual(fired, ['0', '10 first', '10 second'])
    await clock.advance(1)
    deepEqual(fired, ['0', '10 first', '10 second', '20'])
    equal(clock.pending, 0)
    equal(clock.now(), 1_000_020)
  })

  test('lets promise jobs settle between timers, and fires what they arm on the way', async () => {
    const clock = createTestClock(0)
    const seen: string[] = []
    const later = (ms: number): Promise<void> => new Promise(resolve => { clock.after(ms, () => resolve()) })
    const walk = async (): Promise<void> => {
      for (const step of [1, 2, 3]) {
        await later(10)
        seen.push(`step ${step} at ${clock.now()}`)
      }
    }
    const walked = walk()
    clock.after(15, () => seen.push(`other at ${clock.now()}`))
    await clock.advance(30)
    await walked
    deepEqual(seen, ['step 1 at 10', 'other at 15', 'step 2 at 20', 'step 3 at 30'])
  })

  test('a cancelled timer never fires, nor does one that another cancels at the same instant', () => {
    const clock = createTestClock()
    let fired = 0
    const victim = { cancel: (): void => {} }
    clock.after(5, () => victim.cancel())
    victim.cancel = clock.after(5, () => fired++).cancel
    const early = clock.after(1, () => fired++)
    early.cancel()
    early.cancel()
    clock.tick(10)
    equal(fired, 0)
    equal(clock.pending, 0)
  })

  test('ticks without running a promise job', () => {
    const clock = createTestClock()
    const seen: string[] = []
    clock.after(1, () => {
      seen.push('timer')
      void Promise.resolve().then(() => seen.push('job'))
    })
    clock.tick(1)
    deepEqual(seen, ['timer'])
  })

  test('a stall makes due timers late and is remembered', async () => {
    const clock = createTestClock(0)
    const late: number[] = []
    equal(clock.stalledAt, -Infinity)
    clock.after(100, by => late.push(by))
    clock.after(1500, by => late.push(by))
    clock.after(5000, by => late.push(by))
    await clock.stall(2000)
    deepEqual(late, [1900, 500])
    equal(clock.stalledAt, 2000)
    await clock.advance(3000)
    deepEqual(late, [1900, 500, 0])
    equal(clock.stalledAt, 2000)
  })

  test('keeps background timers apart, and takes Infinity for never', () => {
    const clock = createTestClock()
    clock.after(5, () => {}, true)
    clock.after(Infinity, () => {})
    deepEqual([clock.pending, clock.background], [0, 1])
  })

  test('refuses to go back, and to loop for ever', () => {
    const clock = createTestClock()
    throws(() => clock.tick(-1), RangeError)
    const again = (): void => void clock.after(0, again)
    again()
    throws(() => clock.tick(1), /more are due/)
  })
})

test('chance is repeatable by its seed, within bounds, and even', () => {
  const draw = (seed: number): number[] => Array.from({ length: 10_000 }, seededRandom(seed))
  deepEqual(draw(7), draw(7))
  ok(draw(7)[0] !== draw(8)[0])
  ok(draw(7).every(value => value >= 0 && value < 1))
  const mean = draw(7).reduce((sum, value) => sum + value) / 10_000
  ok(Math.abs(mean - 0.5) < 0.02, `mean ${mean}`)
  equal(testEnv(7).random(), seededRandom(7)())
  const dice = loadedDice(0.1, 0.9)
  deepEqual([dice(), dice(), dice()], [0.1, 0.9, 0.1])
})

suite('the scripted service', () => {
  test('is a conversation', async () => {
    const inner = scripted<string, number>()
    const first = inner.send('one')
    const second = inner.send('two')
    const one = await inner.next()
    equal(one.call, 'one')
    one.reply(1)
    equal(await first, 1)
    const two = await inner.next()
    equal(inner.open, 1)
    two.fail(new Error('no'))
    await rejects(second, /^Error: no$/)
    equal(inner.calls, 2)
    await inner.none()
    inner.done()
  })

  test('waits for a call that comes later, for a while', async () => {
    const inner = scripted<string, number>()
    setImmediate(() => void inner.send('late'))
    equal((await inner.next()).call, 'late')
    await rejects(inner.next({ within: 10 }), /call 2 reaches the scripted service/)
  })

  test('fails for calls untaken, unanswered, or answered twice', async () => {
    const inner = scripted<string, number>()
    void inner.send('one')
    await rejects(inner.none(), /nobody expected/)
    throws(() => inner.done())
    const one = await inner.next()
    throws(() => inner.done(), /never answered/)
    one.reply(1)
    throws(() => one.reply(1), /answered already/)
    inner.done()
  })
})

suite('checks', () => {
  test('eventually gives what it waited for, or says what it waited for in vain', async () => {
    let looks = 0
    equal(await eventually(() => ++looks > 30 && 'here'), 'here')
    await rejects(eventually(() => false, { within: 10, what: 'pigs fly' }), /not within 10 ms: pigs fly/)
    const cause = new Error('not yet')
    await rejects(eventually(() => { throw cause }, { within: 1 }), { cause })
  })

  test('in time is a bound', async () => {
    equal(await inTime(Promise.resolve(1)), 1)
    await rejects(inTime(new Promise(() => {}), { within: 1 }), NeverHappened)
  })

  test('leaks finds a server left open, and is content when it is closed', async () => {
    const watch = leaks()
    const server = createServer()
    await listen(server)
    deepEqual(watch.found(), { TCPServerWrap: 1 })
    await rejects(watch.assertNone({ within: 10 }), /TCPServerWrap/)
    server.close()
    await watch.assertNone()
  })

  test('closing ties a resource to a test', async t => {
    let closed = 0
    await t.test('inner', async inner => {
      const made = await closing(inner, { [Symbol.asyncDispose]: async () => { closed++ }, is: 'it' })
      equal(made.is, 'it')
      equal(closed, 0)
    })
    equal(closed, 1)
  })
})
