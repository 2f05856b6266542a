// Drives an open-loop load through one client: a process of its own, as the demo does, with the peers to choose from.
import { childOf } from '../../demo/child.ts'
import type { Client } from '../../demo/clients/client.ts'
import { now } from '../../demo/clock.ts'
import { drive } from '../../demo/load.ts'
import type { DriverChannel, DriverSetup, Plan } from '../../demo/messages.ts'
import { totalOf } from '../../demo/phases.ts'
import { Tally } from '../../demo/tally.ts'
import { CLIENTS } from './clients.ts'

const send = childOf<DriverChannel>(message => {
  if (message.type === 'setup') void setup(message)
  else if (message.type === 'begin') void begin(message.plan)
  else void finish()
})

let settings: DriverSetup
let client: Client
let tally: Tally
let start = 0
let inFlight = 0

async function setup(message: DriverSetup): Promise<void> {
  const make = CLIENTS[message.client]
  if (make === undefined) throw new Error(`no client is called ${message.client}`)
  settings = message
  client = await make(message.url, message.deadline)
  for (let round = 0; round < 20; round++) {
    await Promise.allSettled(Array.from({ length: 10 }, () => client.call(message.url)))
  }
  send({ type: 'ready' })
}

async function begin(plan: Plan): Promise<void> {
  start = plan.start
  tally = new Tally(plan.spans)
  // A bound for memory, not a policy: four times what a client that waits out the deadline has in flight.
  const most = Math.max(1_000, Math.ceil(settings.rate * settings.deadline / 1_000 * 4))
  await drive({
    rate: settings.rate,
    length: totalOf(plan.spans),
    elapsed: () => now() - start,
    call: behind => {
      const at = now() - start
      tally.made(at, behind)
      if (inFlight < most) void call(at)
      else tally.drop(at)
    },
  })
}

async function call(at: number): Promise<void> {
  inFlight++
  const began = performance.now()
  try {
    await client.call(settings.url)
    const took = performance.now() - began
    if (took <= settings.deadline) tally.good(at)
    else tally.failed(at, took)
  } catch {
    tally.failed(at, performance.now() - began)
  }
  inFlight--
}

async function finish(): Promise<void> {
  await client.close()
  send({
    type: 'driver', part: tally.series.part(0), failing: tally.failing(), dropped: tally.dropped, late: tally.late,
    at: now() - start, final: true,
  })
}
