import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** One question to a child, and what comes back. */
export interface Question {
  readonly id: number
  readonly task: string
  readonly input: unknown
}

/** The answer to the question of the same id. */
export interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

/** ms a child may take for one task: none takes a tenth of it. */
const PATIENCE = 60_000
/** ms a child may take to end by itself. */
const GRACE = 1_000

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/**
 * A process of its own that answers questions, so that what it measures is not mixed up with anybody else's code, heap
 * or CPU time.
 */
export class Child {
  readonly #file: string
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  readonly #ended: Promise<void>
  #asked = 0

  /**
   * @param file - a module that calls `answer()`.
   * @param flags - for Node, e.g. `--expose-gc`.
   * @param through - a command that starts Node, e.g. `nice -n 5`; it must become it by exec.
   */
  constructor(file: URL, flags: readonly string[] = [], through: readonly string[] = []) {
    const [execPath = '', ...args] = [...through, process.execPath, '--disable-warning=ExperimentalWarning', ...flags]
    this.#file = file.pathname.split('/').slice(-2).join('/')
    this.#process = fork(fileURLToPath(file), [], {
      execPath,
      execArgv: args,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    })
    this.#process.on('message', message => { this.#settle(message as Answer) })
    this.#ended = new Promise(resolve => {
      this.#process.on('error', error => { this.#fail(error) })
      this.#process.on('exit', code => {
        this.#fail(new Error(`${this.#file} ended with code ${code ?? 'none'}`))
        resolve()
      })
    })
  }

  /** The id of the process; undefined if it could not be started. */
  get pid(): number | undefined {
    return this.#process.pid
  }

  /** Asks for a task to be done; settles with what the child says, or rejects with its error. */
  ask<Value>(task: string, input?: unknown): Promise<Value> {
    const question: Question = { id: ++this.#asked, task, input }
    return new Promise<Value>((resolve, reject) => {
      const tooLong = (): void => { reject(new Error(`${this.#file} did not answer '${task}' in ${PATIENCE / 1_000} s`)) }
      const timer = setTimeout(tooLong, PATIENCE)
      const settled = (): void => { clearTimeout(timer) }
      this.#waiting.set(question.id, {
        resolve: value => { settled(); resolve(value as Value) },
        reject: error => { settled(); reject(error) },
      })
      this.#process.send(question, error => { if (error) this.#fail(error) })
    })
  }

  /** Ends the child. */
  async end(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect()
    const killer = setTimeout(() => { this.#process.kill('SIGKILL') }, GRACE)
    await this.#ended
    clearTimeout(killer)
  }

  #settle({ id, value, error }: Answer): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error === undefined) waiting?.resolve(value)
    else waiting?.reject(new Error(`${this.#file}: ${error}`))
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}

/** Uses children and ends them, those added meanwhile too, whatever happens. */
export async function withChildren<Value>(
  children: ReadonlyMap<unknown, Child>, use: () => Promise<Value>,
): Promise<Value> {
  try {
    return await use()
  } finally {
    await Promise.all([...children.values()].map(child => child.end()))
  }
}
