import { connect, type Socket } from 'node:net'
import type { Manner } from './plans.ts'

/** ms between two looks at the crowd. */
const TICK = 25
/** ms after which a slow caller that was turned away comes back. */
const BACK = 1_000

interface Behaviour {
  /** What is sent at once. */
  readonly request: string
  /** ms between two turns of a caller. */
  readonly every: number
  /** What it does in its turn. */
  readonly turn: (socket: Socket) => void
  /** Bytes it takes at once; then it reads no more until its next turn. Without this it reads all there is. */
  readonly sip?: number
  /** Whether it has no answer yet as long as all is well. */
  readonly isSending?: boolean
}

const field = (request: string, more = ''): string => `${request} HTTP/1.1\r\nHost: crowd\r\n${more}\r\n`
const DRIP = Buffer.alloc(100, 'x')

const MANNERS: Readonly<Record<Manner, Behaviour>> = {
  upload: {
    request: field('POST /upload', 'Content-Type: application/octet-stream\r\nContent-Length: 100000\r\n'), every: 250,
    turn: socket => { socket.write(DRIP) }, isSending: true,
  },
  download: { request: field('GET /large'), every: 1_000, turn: socket => { socket.resume() }, sip: 1_024 },
  events: { request: field('GET /events', 'Accept: text/event-stream\r\n'), every: 1_000, turn: () => undefined },
  half: { request: field('GET /half'), every: 1_000, turn: () => undefined },
}

/** One slow caller: it comes with its first turn, and comes back a second after it has been turned away. */
class SlowCaller {
  readonly #behaviour: Behaviour
  readonly #port: number
  #socket: Socket | undefined
  #status: number | undefined
  #leftAt = -Infinity
  /** How often it was turned away: answered with an error, or cut off. */
  away = 0
  /** Bytes it has read. */
  read = 0

  constructor(behaviour: Behaviour, port: number) {
    this.#behaviour = behaviour
    this.#port = port
  }

  /** Whether it is being served. */
  get isServed(): boolean {
    return this.#socket !== undefined && (this.#status === undefined ? this.#behaviour.isSending === true : this.#status === 200)
  }

  turn(): void {
    if (this.#socket !== undefined) this.#behaviour.turn(this.#socket)
    else if (performance.now() - this.#leftAt >= BACK) this.#come()
  }

  leave(): void {
    this.#socket?.destroy()
  }

  #come(): void {
    const { request, sip } = this.#behaviour
    const callback = (length: number, bytes: Uint8Array): boolean => {
      this.read += length
      this.#status ??= Number(Buffer.from(bytes.buffer, bytes.byteOffset, 12).toString('latin1').slice(9))
      if (this.#status !== 200) socket.destroy()
      return sip === undefined
    }
    const socket = connect({ port: this.#port, host: '127.0.0.1', onread: { buffer: Buffer.alloc(sip ?? 4_096), callback } })
    this.#socket = socket
    this.#status = undefined
    socket.on('error', () => undefined)
    socket.once('close', () => {
      this.#socket = undefined
      this.#leftAt = performance.now()
      this.away++
    })
    socket.write(request)
  }
}

/** What became of a crowd. */
export interface CrowdReport {
  readonly count: number
  /** How many are still being served. */
  readonly served: number
  /** How often one was turned away. */
  readonly away: number
  /** Bytes read by all. */
  readonly read: number
}

/** Callers that are slow, all of one manner. They come at once; then their turns are spread, so that they are no bursts. */
export class Crowd {
  readonly #callers: readonly SlowCaller[]
  readonly #timer: NodeJS.Timeout

  /** They come all at once. */
  constructor(manner: Manner, count: number, port: number) {
    const behaviour = MANNERS[manner]
    const slots = behaviour.every / TICK
    this.#callers = Array.from({ length: count }, () => new SlowCaller(behaviour, port))
    for (const caller of this.#callers) caller.turn()
    let turn = 0
    this.#timer = setInterval(() => {
      for (let index = turn++ % slots; index < count; index += slots) this.#callers[index]!.turn()
    }, TICK)
  }

  /** What has become of them so far. */
  report(): CrowdReport {
    const sum = (of: (caller: SlowCaller) => number): number => this.#callers.reduce((total, caller) => total + of(caller), 0)
    return {
      count: this.#callers.length, served: sum(({ isServed }) => Number(isServed)), away: sum(({ away }) => away),
      read: sum(({ read }) => read),
    }
  }

  /** Lets all of them go for good. */
  end(): void {
    clearInterval(this.#timer)
    for (const caller of this.#callers) caller.leave()
  }
}
