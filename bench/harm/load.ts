// Makes the calls that are counted, and those of a crowd beside them: a process of its own.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '../../demo/clients/client.ts'
import { drive } from '../../demo/load.ts'
import type { DriverReport } from '../../demo/messages.ts'
import { totalOf, type Span } from '../../demo/phases.ts'
import { Tally } from '../../demo/tally.ts'
import { answer } from '../process/child.ts'
import { CLIENTS } from '../scenarios/clients.ts'
import { browser, StatusError } from './browser.ts'
import { Crowd, type CrowdReport } from './crowd.ts'
import type { Scenario } from './plans.ts'

/** What calls to make. */
export interface Load extends Pick<Scenario, 'rate' | 'path' | 'ill' | 'crowd'> {
  /** An origin. */
  readonly url: string
  /** One of the clients of the scenarios; without it a browser calls. */
  readonly client?: string
  readonly spans: readonly Span[]
  /** ms. */
  readonly deadline: number
}

/** What became of them. */
export interface LoadReport {
  /** The calls that are counted. */
  readonly driver: DriverReport
  /** Of these in the last phase: ms until each was answered, and how many were answered 503. */
  readonly took: readonly number[]
  readonly refused: number
  /** Calls of both kinds. */
  readonly offered: number
  readonly crowd?: CrowdReport
}

const clientOf = ({ client, url, deadline }: Load): Client | Promise<Client> =>
  client === undefined ? browser(deadline) : CLIENTS[client]!(url, deadline)

/** Warms the code, with another client, so that the one that is measured has met no route yet. */
async function warm(load: Load): Promise<void> {
  const client = await clientOf(load)
  for (let round = 0; round < 5; round++) {
    await Promise.allSettled(Array.from({ length: 10 }, () => client.call(`${load.url}/stock`)))
  }
  await client.close()
}

async function run(load: Load): Promise<LoadReport> {
  const { url, rate, path, ill, crowd, spans, deadline } = load
  const client = await clientOf(load)
  const tally = new Tally(spans)
  const began = performance.now()
  const elapsed = (): number => performance.now() - began
  const last = spans.at(-1)!.from
  const took: number[] = []
  let [offered, refused] = [0, 0]

  async function counted(behind: number): Promise<void> {
    const at = elapsed()
    tally.made(at, behind)
    try {
      await client.call(url + path)
      const ms = elapsed() - at
      if (ms <= deadline) tally.good(at)
      else tally.failed(at, ms)
      if (at >= last) took.push(ms)
    } catch (error) {
      tally.failed(at, elapsed() - at)
      if (at >= last && error instanceof StatusError && error.status === 503) refused++
    }
  }
  const call = (behind: number): Promise<void> =>
    ill !== undefined && offered++ % ill.every === 0 ? client.call(url + ill.path).catch(() => undefined) : counted(behind)

  const calls: Promise<void>[] = []
  const crowded = crowd && sleep(last).then(() => new Crowd(crowd.manner, crowd.count, Number(new URL(url).port)))
  await drive({ rate, length: totalOf(spans), elapsed, call: behind => { calls.push(call(behind)) } })
  // The crowd stays until the last call has its answer.
  await Promise.all(calls)
  const slow = await crowded
  const report = slow?.report()
  slow?.end()
  await client.close()
  return {
    driver: {
      type: 'driver', final: true, at: elapsed(), part: tally.series.part(0), failing: tally.failing(), dropped: tally.dropped,
      late: tally.late,
    },
    took, refused, offered: calls.length, ...report !== undefined && { crowd: report },
  }
}

answer({ warm, run })
