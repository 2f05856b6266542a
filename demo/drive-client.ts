import { childOf } from './child.ts'
import type { Client } from './clients/client.ts'
import { now } from './clock.ts'
import { drive } from './load.ts'
import { type DriverChannel, type DriverSetup, insideKeys, type Plan } from './messages.ts'
import { columnWidth, totalOf } from './phases.ts'
import { Series } from './series.ts'
import { Tally } from './tally.ts'

/** How the clients to choose from are made, each for one url and a deadline in milliseconds. */
export type Makers = Readonly<Record<string, (url: string, deadline: number) => Client | Promise<Client>>>

/**
 * Makes this process drive an open-loop load through one client, as its parent asks. What became of the calls is
 * reported at the end, and every `reportEvery` ms until then if that is given.
 */
export function driveClient(clients: Makers, reportEvery?: number): void {
  const send = childOf<DriverChannel>(message => {
    if (message.type === 'setup') void setup(message)
    else if (message.type === 'begin') void begin(message.plan)
    else void finish()
  })

  let settings: DriverSetup
  let client: Client
  let tally: Tally
  const inside = new Series(insideKeys)
  let start = 0
  let inFlight = 0

  /** Calls before the start, so that connections are open and the code is warm. */
  async function setup(message: DriverSetup): Promise<void> {
    const make = clients[message.client]
    if (!make) throw new Error(`no client is called ${message.client}`)
    settings = message
    client = await make(message.url, message.deadline)
    for (let round = 0; round < 20; round += 1) {
      await Promise.allSettled(Array.from({ length: 10 }, () => client.call(message.url)))
    }
    send({ type: 'ready' })
  }

  async function begin(plan: Plan): Promise<void> {
    start = plan.start
    tally = new Tally(plan.spans)
    const { rate, deadline } = settings
    /** Four times what a client that waits out the deadline has in flight: a bound for memory, not a policy. */
    const most = Math.max(1000, Math.ceil(rate * deadline / 1000 * 4))
    const timer = reportEvery === undefined ? undefined : setInterval(() => { report(false) }, reportEvery)
    const looks = setInterval(look, columnWidth)
    await drive({
      rate,
      length: totalOf(plan.spans),
      elapsed: () => now() - start,
      call: behind => {
        const at = now() - start
        tally.made(at, behind)
        if (inFlight < most) void call(at)
        else tally.drop(at)
      },
    })
    clearInterval(timer)
    clearInterval(looks)
  }

  /** Fills every column up to now: a timer may skip one. */
  function look(): void {
    const seen = client.inside?.(settings.url)
    if (seen === undefined || now() < start) return
    const until = Series.columnAt(now() - start)
    for (let column = inside.length; column <= until; column += 1) {
      for (const key of insideKeys) inside.add(key, column, seen[key])
    }
  }

  async function call(at: number): Promise<void> {
    inFlight += 1
    const began = performance.now()
    try {
      await client.call(settings.url)
      const took = performance.now() - began
      if (took <= settings.deadline) tally.good(at)
      else tally.failed(at, took)
    } catch {
      tally.failed(at, performance.now() - began)
    }
    inFlight -= 1
  }

  /** Columns older than the deadline and a margin no longer change. */
  function report(final: boolean): void {
    const at = now() - start
    const settled = final ? 0 : Series.columnAt(at - settings.deadline - 1000)
    const circuit = client.circuit(settings.url)
    send({
      type: 'driver', final, at, part: tally.series.part(settled), failing: tally.failing(),
      dropped: tally.dropped, late: tally.late, ...circuit && { circuit },
      ...final && inside.length > 0 && { inside: inside.part(0) },
    })
  }

  async function finish(): Promise<void> {
    await client.close()
    report(true)
  }
}
