import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Channel } from './messages.ts'

/** How long a child may take to end by itself before it is killed, in milliseconds. */
const grace = 1000

/** The messages of one type that come from a child. */
type Up<Between extends Channel, Type extends string> = Extract<Between['up'], { type: Type }>

/** A child process of the demo. */
export interface Child<Between extends Channel> {
  send(message: Between['down']): void
  /** Hands over each message of a type as it comes. */
  on<Type extends Between['up']['type']>(type: Type, listener: (message: Up<Between, Type>) => void): void
  /** Settles with the first message of a type, from now on, that passes a test. */
  when<Type extends Between['up']['type']>(
    type: Type, test?: (message: Up<Between, Type>) => boolean,
  ): Promise<Up<Between, Type>>
}

/** The children of a run. They end together: by themselves, when one of them fails, or when told to. */
export class Children {
  /** Rejects when a child ends that was not told to; never settles otherwise. */
  readonly failure: Promise<never>
  readonly #running = new Map<ChildProcess, Promise<void>>()
  #fail: (error: Error) => void = () => undefined
  #ending = false

  constructor() {
    this.failure = new Promise((_resolve, reject) => { this.#fail = reject })
    this.failure.catch(() => undefined)
  }

  /** Starts a file of this folder as a child. */
  start<Between extends Channel>(file: string): Child<Between> {
    const process = fork(fileURLToPath(new URL(file, import.meta.url)), [], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#running.set(process, this.#watch(file, process))
    const child: Child<Between> = {
      send: message => { if (process.connected) process.send(message, () => undefined) },
      on: (type, listener) => {
        process.on('message', (message: Between['up']) => {
          if (message.type === type) listener(message as Up<Between, typeof type>)
        })
      },
      when: (type, test = () => true) => new Promise(resolve => {
        child.on(type, message => { if (test(message)) resolve(message) })
      }),
    }
    return child
  }

  /** Ends all that still run, those that do not want to as well. */
  async end(): Promise<void> {
    this.#ending = true
    for (const child of this.#running.keys()) if (child.connected) child.disconnect()
    const killer = setTimeout(() => { for (const child of this.#running.keys()) child.kill('SIGKILL') }, grace)
    await Promise.all(this.#running.values())
    clearTimeout(killer)
  }

  /** Settles when the child has ended; tells of an end that was not asked for, with the last of what it said. */
  #watch(file: string, process: ChildProcess): Promise<void> {
    let said = ''
    process.stderr?.setEncoding('utf8').on('data', (text: string) => { said = (said + text).slice(-4000) })
    return new Promise(resolve => {
      process.on('error', error => { this.#fail(error) })
      process.on('exit', () => { resolve() })
      process.on('close', (code, signal) => {
        if (this.#ending) return
        const how = signal ?? `exit code ${code}`
        this.#fail(new Error(`${file} ended before its time (${how})${said && `:\n${said.trim()}`}`))
      })
    })
  }
}
