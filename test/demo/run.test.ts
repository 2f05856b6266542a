import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { suite, test } from 'node:test'
import { Children } from '../../demo/children.ts'
import { now } from '../../demo/clock.ts'
import type { UpstreamChannel } from '../../demo/messages.ts'
import { parsePhases } from '../../demo/phases.ts'
import { run, type Run } from '../../demo/run.ts'

const experiment = {
  spans: parsePhases('health:0.5,outage:0.5,recovery:0.5'), rate: 100, deadline: 300, outage: '502', workers: 20,
  serviceTime: 5,
} as const

suite('the model upstream', () => {
  test('does what its plan says and counts what reaches it', async () => {
    const children = new Children()
    try {
      const upstream = children.start<UpstreamChannel>('upstream.ts')
      upstream.send({ type: 'setup', workers: 2, serviceTime: 5 })
      const { url = '' } = await upstream.when('ready')
      equal((await fetch(url)).status, 200)
      upstream.send({ type: 'begin', plan: { start: now(), spans: parsePhases('outage:3600'), modes: ['502'] } })
      while ((await fetch(url)).status === 200);
      const final = upstream.when('upstream', report => report.final)
      upstream.send({ type: 'finish' })
      ok((await final).part.columns.reached.reduce((sum, value) => sum + value, 0) >= 1)
    } finally {
      await children.end()
    }
  })

  test('ends when its parent is gone', async () => {
    const path = new URL('../../demo/upstream.ts', import.meta.url)
    const child = fork(path, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
    child.send({ type: 'setup', workers: 2, serviceTime: 5 })
    await once(child, 'message')
    child.disconnect()
    deepEqual(await once(child, 'exit'), [0, null])
  })
})

suite('a run', () => {
  test('takes every client through every phase', async () => {
    const { tracks } = await run(experiment, () => undefined, new AbortController().signal)
    deepEqual(tracks.map(track => track.name), ['bare undici', 'breakwater'])
    for (const { name, calls, upstream, failing } of tracks) {
      const offered = calls.sum('offered', 0, 30)
      ok(offered > 100 && offered <= 150, `${offered} calls through ${name}`)
      equal(calls.sum('good', 0, 30) + calls.sum('failed', 0, 30), offered)
      ok(calls.sum('good', 0, 10) > 0, `no good call through ${name}`)
      ok(failing[1]!.count > 0, `no failure through ${name}`)
      ok(upstream!.sum('reached', 0, 30) > 0)
    }
  })

  test('stops when told to, and says why', async () => {
    const stop = new AbortController()
    const why = new Error('enough')
    const begun: Run[] = []
    const show = (begins: Run): void => {
      begun.push(begins)
      stop.abort(why)
    }
    await rejects(run({ ...experiment, spans: parsePhases('health:3600') }, show, stop.signal), why)
    equal(begun.length, 1)
  })
})
