// An upstream with room for all, a share of whose answers is 502: the model upstream of the demo has no such mode.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { childOf } from '../../demo/child.ts'
import { now } from '../../demo/clock.ts'
import { upstreamKeys, type UpstreamChannel } from '../../demo/messages.ts'
import { Series } from '../../demo/series.ts'
import { FLAKY } from './plans.ts'

const series = new Series(upstreamKeys)
let start = Infinity
let serviceTime = 0
let state = 7

const send = childOf<UpstreamChannel>(message => {
  if (message.type === 'setup') setup(message.serviceTime)
  else if (message.type === 'begin') start = message.plan.start
  else send({ type: 'upstream', part: series.part(0), final: true })
})

/** The same chance in every run (Park and Miller's generator). */
function chance(): number {
  state = state * 48_271 % 2_147_483_647
  return state / 2_147_483_647
}

function setup(ms: number): void {
  serviceTime = ms
  const server = createServer({ keepAliveTimeout: 60_000 }, (_request, response) => {
    if (now() >= start) series.add('reached', Series.columnAt(now() - start))
    // Healthy until the run begins, so that nobody enters it with an open circuit.
    const status = now() >= start && chance() < FLAKY ? 502 : 200
    setTimeout(() => {
      response.writeHead(status, { 'content-type': 'application/json', 'content-length': 2 })
      response.end('{}')
    }, serviceTime)
  })
  server.listen(0, '127.0.0.1', () => {
    send({ type: 'ready', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` })
  })
}
