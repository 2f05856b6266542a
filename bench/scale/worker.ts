// Measures how costs grow: with upstreams, with calls in flight, with the rate of calls.
import { createClient, type Client, type LimitOptions } from '../../src/index.ts'
import { Window } from '../../src/upstream/circuit/window.ts'
import { countsOf, type Counts } from '../counts.ts'
import { NoopTransport } from '../layers/transport.ts'
import { answer } from '../process/child.ts'

/** A client with so many upstreams, to be called in turn with so many calls in flight. */
export interface Setting {
  readonly upstreams: number
  readonly inFlight: number
}

/** What an idle upstream holds. */
export interface Idle {
  /** Bytes of heap, per upstream that was configured and never called. */
  readonly configured: number
  /** The same, per upstream that was called once, over one shared transport. */
  readonly called: number
  /** Timers armed in making them all, per upstream. */
  readonly timers: number
}

const transport = new NoopTransport()
const pool = { factory: (): NoopTransport => transport }
const urlsOf = (count: number): string[] => Array.from({ length: count }, (_, index) => `http://service-${index}.internal/`)

let client: Client
let urls: string[]
let inFlight: number
let next = 0

/** An adaptive limit has no room for a thousand calls at once that come from nowhere; that is not the question here. */
const limitFor = (inFlight: number): LimitOptions => (inFlight <= 256 ? {} : { adaptive: false, max: inFlight })

async function open(setting: Setting): Promise<void> {
  inFlight = setting.inFlight
  urls = urlsOf(setting.upstreams)
  client = createClient({ pool, maxUpstreams: setting.upstreams, limit: limitFor(inFlight) })
  for (const url of urls) await client.get(url)
}

/** CPU time of the process per call, in ns; every upstream in turn, which is the worst case for every cache. */
async function time(ms: number): Promise<number> {
  const until = performance.now() + ms
  const cpu = process.cpuUsage()
  let made = 0
  const caller = async (): Promise<void> => {
    do {
      for (let call = 0; call < 4; call++) {
        await client.get(urls[next] as string)
        next = next + 1 === urls.length ? 0 : next + 1
      }
      made += 4
    } while (performance.now() < until)
  }
  await Promise.all(Array.from({ length: inFlight }, caller))
  const { user, system } = process.cpuUsage(cpu)
  return (user + system) * 1_000 / made
}

/** ns to record one settled call in a full window of 10 s, by a clock that goes as fast as the calls come. */
function windowed({ rate, ms }: { readonly rate: number; readonly ms: number }): number {
  const window = new Window(10_000, 0)
  const step = 1_000 / rate
  let now = 0
  const record = (calls: number): void => {
    for (let call = 0; call < calls; call++) window.record(call % 10 === 0, false, now += step)
  }
  record(Math.max(50_000, rate * 10))
  const began = process.cpuUsage()
  const until = performance.now() + ms
  let made = 0
  for (; performance.now() < until; made += 10_000) record(10_000)
  const { user, system } = process.cpuUsage(began)
  return (user + system) * 1_000 / made
}

const heap = (): number => {
  // Twice: what finalisers let go of is only free after the next.
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

const settled = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })

async function idle(count: number): Promise<Idle> {
  const urls = urlsOf(count)
  const options = Object.fromEntries(urls.map((url, index) => [`service-${index}`, { url: url.slice(0, -1) }]))
  const held: Client[] = []
  let timers = 0
  let weighed = heap()
  const weight = async (make: () => Promise<Client>): Promise<number> => {
    timers += (await countsOf(async () => { held.push(await make()) })).timers
    await settled()
    const before = weighed
    weighed = heap()
    return (weighed - before) / count
  }
  // A first client pays for code and shapes, which are not an upstream's.
  await weight(() => called(urls.slice(0, 50)))
  const configured = await weight(() => Promise.resolve(createClient({ upstreams: options })))
  const afterCalls = await weight(() => called(urls))
  await Promise.all(held.map(each => each.destroy()))
  return { configured, called: afterCalls, timers: timers / count }
}

async function called(urls: readonly string[]): Promise<Client> {
  const client = createClient({ pool, maxUpstreams: urls.length })
  for (const url of urls) await client.get(url)
  return client
}

/** What so many calls make, one after the other, once everything there is only one of has been made. */
async function counts(calls: number): Promise<Counts> {
  const client = createClient({ pool })
  const url = 'http://service.internal/'
  const signal = new AbortController().signal
  for (let call = 0; call < 100; call++) await client.get(url, { signal })
  return countsOf(async () => {
    for (let call = 0; call < calls; call++) await client.get(url, { signal })
  })
}

answer({ open, time, windowed, idle, counts })
