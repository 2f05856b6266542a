import { systemEnv, type Env } from '../clock.ts'
import { Desk } from './dispatcher/core.ts'
import { Directory } from '../upstream/upstreams.ts'
import { ClientDispatcher } from './dispatcher/dispatcher.ts'
import { fetchOver } from './dispatcher/fetch.ts'
import type { Explanation } from '../upstream/explain.ts'
import { checkClient, DEFAULTS, type ClientOptions, type Policy, type UpstreamOptions } from '../options/options.ts'
import type { Reply } from '../outcome/reply.ts'
import { requestOf, type CallOptions } from '../call/request.ts'
import { Sender } from './sender.ts'
import { split, splitPlain } from '../http/target.ts'
import { UpstreamClient } from './upstream-client.ts'
import type { UpstreamSnapshot } from '../upstream/snapshot.ts'
import { replyPromise, Verbs, type ReplyPromise } from './verbs.ts'

/**
 * One client in front of every upstream a service calls. Make one per process and share it: connections, circuits and
 * budgets are its own.
 */
export class Client extends Verbs<string | URL> implements AsyncDisposable {
  /** As events and metrics tell it. */
  readonly name: string
  readonly #directory: Directory
  readonly #sender: Sender
  readonly #env: Env
  #closed: Promise<void> | undefined
  #fetch: typeof fetch | undefined

  /** @internal */
  constructor(options: ClientOptions) {
    super()
    checkClient(options)
    // Own properties have been checked; what hangs on a prototype must not be read.
    const own = { ...options }
    this.name = own.name ?? nextName()
    const env = envOf(own.env ?? systemEnv, this.name)
    this.#directory = new Directory(own, env)
    this.#env = env
    this.#sender = new Sender(this.#directory, own.maxStaleSize ?? DEFAULTS.client.maxStaleSize, env)
  }

  /**
   * Sends a request to a URL. The reply's body is buffered.
   *
   * Rejects with an UpstreamError, whose subclass says what happened; with the signal's own reason; or with an
   * OptionError.
   */
  request(method: string, url: string | URL, options?: CallOptions): ReplyPromise {
    return replyPromise(this.#send(method, url, options, false))
  }

  /**
   * Sends a request and gives the reply at its headers, its body as a stream. Read it, or destroy it: it holds a
   * permit.
   */
  stream(method: string, url: string | URL, options?: CallOptions): Promise<Reply> {
    return this.#send(method, url, options, true)
  }

  /** The upstream configured under a name or an origin. @throws OptionError if there is none. */
  upstream(name: string): UpstreamClient {
    return new UpstreamClient(this.#directory.named(name), this.#sender)
  }

  /**
   * The client as an undici dispatcher, for whatever takes one: its requests are protected as all others are, and streamed
   * through. A new one with each call; closing it ends its own requests and leaves the client as it is.
   *
   * @example
   * const { statusCode, body } = await request('http://orders.internal/7', { dispatcher: client.dispatcher() })
   */
  dispatcher(): ClientDispatcher {
    return new ClientDispatcher(new Desk(this.#directory, this.#sender, this.#env), this.#directory.events)
  }

  /**
   * The host's `fetch`, protected: for any library that takes one. It need not be called as a method.
   *
   * @example
   * const { fetch } = client
   * const response = await fetch('http://orders.internal/7', { signal: AbortSignal.timeout(1_000) })
   */
  get fetch(): typeof fetch {
    return (this.#fetch ??= fetchOver(this.dispatcher()))
  }

  /**
   * Lays options over those of an upstream configured by name or origin, while it runs: its circuits, windows, budget
   * and connections stay. All of it is taken or, when something is wrong, nothing.
   * @throws OptionError
   */
  configure(name: string, options: UpstreamOptions): void {
    this.#directory.configure(name, options)
  }

  /**
   * Says what would happen to a call of this URL and why: its policy and where that is from, its circuit, and when it
   * will probe.
   */
  explain(url: string | URL): Explanation {
    return this.#directory.explain(split(url).origin)
  }

  /** The policy that applies to an origin now. @internal */
  policyOf(origin: string): Policy {
    return this.#directory.policyOf(origin)
  }

  /** Every upstream the client knows now. */
  snapshot(): UpstreamSnapshot[] {
    return this.#directory.all().map(upstream => upstream.snapshot())
  }

  /** Takes no new calls, lets those in flight finish or meet their deadline, then closes all connections. */
  close(): Promise<void> {
    this.#closed ??= this.#sender.close().then(() => this.#directory.drain()).then(() => { this.#sender.destroy() })
    return this.#closed
  }

  /** Takes no new calls, ends those in flight, and closes all connections now. */
  async destroy(): Promise<void> {
    this.#sender.destroy()
    await this.#directory.destroy()
  }

  /** The same as `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #send(method: string, url: string | URL, options: CallOptions | undefined, streamed: boolean): Promise<Reply> {
    try {
      const request = requestOf(method, options)
      // A plain URL of a known upstream needs no parsing: this is the way of nearly every call.
      const plain = typeof url === 'string' ? splitPlain(url) : undefined
      const known = plain === undefined ? undefined : this.#directory.known(plain.origin)
      if (plain !== undefined && known !== undefined) return this.#sender.send(known, plain, request, streamed)
      const parsed = split(url)
      const upstream = this.#directory.at(parsed.origin, request.method, parsed.target)
      return this.#sender.send(upstream, parsed, request, streamed)
    } catch (error) {
      return Promise.reject(error)
    }
  }
}

let unnamed = 0
/** Most processes have one client; what comes after it is told apart at least. */
const nextName = (): string => (++unnamed === 1 ? 'default' : `default-${unnamed}`)

/** A given one may be of a class: it is asked, not copied. */
const envOf = (env: Env, client: string): Env => ({ clock: env.clock, random: () => env.random(), client })

/**
 * Makes a client.
 *
 * @example
 * const client = createClient({ deadline: 2_000 })
 * const invoice = await client.get('http://payments.internal:8080/invoices/7').json()
 *
 * @throws OptionError when an option makes no sense: it names the option, the value and what was expected.
 */
export const createClient = (options: ClientOptions = {}): Client => new Client(options)
