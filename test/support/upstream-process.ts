import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { inTime } from './check.ts'
import { end, running, tieToUs } from './child.ts'
import type { Manner, Order, Word } from './upstream-main.ts'

export type { Manner } from './upstream-main.ts'

/** An HTTP upstream in a process of its own, which can really die. */
export interface UpstreamProcess extends AsyncDisposable {
  /** The origin, without a slash at its end; the same across restarts. */
  readonly url: string
  readonly port: number
  readonly pid: number
  readonly alive: boolean
  /** Answers otherwise from now on. */
  be(manner: Manner): Promise<void>
  /** Requests it has seen since its last start. */
  hits(): Promise<number>
  /** Ends itself at once, as an uncaught error would; resolves when it has ended. */
  crash(code?: number): Promise<void>
  /** Is ended from outside; resolves when it has ended. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Stops it in its tracks: the system still accepts connections for it, and nobody answers. */
  freeze(): void
  /** Lets it go on after `freeze`. */
  thaw(): void
  /** Starts it again on the same port, well. Ends it before, if it still runs. */
  restart(): Promise<void>
  /** Ends it for good; safe to call twice. */
  close(): Promise<void>
}

const MAIN = fileURLToPath(new URL('./upstream-main.ts', import.meta.url))

const launch = async (port: number): Promise<{ child: ChildProcess; port: number }> => {
  const child = fork(MAIN, [String(port)], { execArgv: ['--disable-warning=ExperimentalWarning'] })
  tieToUs(child)
  const heard = once(child, 'message').then(([word]) => word as Word)
  const ended = once(child, 'exit').then(([code]): Word => ({ failed: `it ended with ${String(code)}` }))
  const word = await inTime(Promise.race([heard, ended]), { within: 10_000, what: 'the upstream process listens' })
  if ('listening' in word) return { child, port: word.listening }
  await end(child)
  throw new Error(`upstream process on port ${port}: ${'failed' in word ? word.failed : 'said nothing of use'}`)
}

/** Starts an upstream process on 127.0.0.1. */
export const startUpstreamProcess = async (options: { port?: number } = {}): Promise<UpstreamProcess> => {
  const first = await launch(options.port ?? 0)
  const { port } = first
  let { child } = first
  let orders = 0

  const ask = (what: { be: Manner } | { tell: 'hits' }): Promise<number> => {
    const order: Order = { ...what, id: orders++ }
    const asked = child
    const answered = new Promise<number>((resolve, reject) => {
      const hear = (word: Word): void => {
        if (!('done' in word) || word.done !== order.id) return
        asked.off('message', hear)
        resolve(word.hits)
      }
      asked.on('message', hear)
      asked.send(order, error => { if (error) reject(error) })
    })
    return inTime(answered, { what: 'the upstream process obeys' })
  }

  const kill = (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => end(child, signal)

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    get pid(): number { return child.pid! },
    get alive(): boolean { return running(child) },
    be: async manner => { await ask({ be: manner }) },
    hits: () => ask({ tell: 'hits' }),
    kill,
    async crash(code = 1): Promise<void> {
      const ended = once(child, 'exit')
      child.send({ id: orders++, crash: code } satisfies Order)
      await inTime(ended, { what: 'the upstream process crashes' })
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    async restart(): Promise<void> {
      await kill()
      child = (await launch(port)).child
    },
    close: () => kill(),
    [Symbol.asyncDispose]: () => kill(),
  }
}
