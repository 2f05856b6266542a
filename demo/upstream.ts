// The model upstream: a process of its own, started and told what to do by its parent over IPC.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Capacity } from './capacity.ts'
import { childOf } from './child.ts'
import { now } from './clock.ts'
import { type Plan, type UpstreamChannel, upstreamKeys, type UpstreamSetup } from './messages.ts'
import { brownOut, columnWidth, type Mode } from './phases.ts'
import { Series } from './series.ts'

const send = childOf<UpstreamChannel>(message => {
  if (message.type === 'setup') setup(message)
  else if (message.type === 'begin') begin(message.plan)
  else report(true)
})

const series = new Series(upstreamKeys)
let mode: Mode = 'healthy'
let start = Infinity
let told = 0
let looked = 0
let capacity: Capacity
let workers = 0

function setup(message: UpstreamSetup): void {
  workers = message.workers
  capacity = new Capacity(workers, message.serviceTime, { now, after: (ms, run) => setTimeout(run, ms) })
  const server = createServer({ keepAliveTimeout: 60_000 }, serve)
  server.listen(0, '127.0.0.1', () => {
    send({ type: 'ready', url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/` })
  })
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  const column = Series.columnAt(now() - start)
  if (now() >= start) series.add('reached', column)
  if (mode === '502' || mode === 'reset') {
    refuse(request, response)
  } else {
    capacity.add(outcome => {
      if (outcome === 'lost') refuse(request, response)
      else answer(response, 200, { status: 'ok', message: 'the answer to one call' })
    })
    series.raise('queued', column, capacity.queued)
  }
}

function refuse(request: IncomingMessage, response: ServerResponse): void {
  if (mode === 'reset') request.socket.resetAndDestroy()
  else answer(response, 502, { error: 'bad gateway' })
}

function answer(response: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

/** An outage takes with it what is in hand and in the queue: a service that has died answers nobody. */
function change(next: Mode): void {
  mode = next
  capacity.workers = next === 'hang' ? 0 : next === 'brown-out' ? brownOut(workers) : workers
  if (next === '502' || next === 'reset') capacity.lose()
}

function begin(plan: Plan): void {
  start = plan.start
  plan.spans.forEach((span, index) => {
    setTimeout(() => { change(plan.modes[index] as Mode) }, Math.max(0, Math.ceil(start + span.from - now())))
  })
  setInterval(() => {
    const column = Series.columnAt(now() - start)
    // The timer may skip a column.
    for (; looked <= column; looked += 1) series.raise('queued', looked, capacity.queued)
    if (column - told >= 4) report(false)
  }, columnWidth)
}

function report(final: boolean): void {
  send({ type: 'upstream', part: series.part(final ? 0 : told), final })
  told = Math.max(0, series.length - 1)
}
