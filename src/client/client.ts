import type { Send } from '../call/layer.ts'
import type { Perform } from '../upstream/perform.ts'
import { systemEnv, type Env } from '../clock.ts'
import { DispatcherCore } from './dispatcher/core.ts'
import { Upstreams } from '../upstream/upstreams.ts'
import { ClientDispatcher } from './dispatcher/dispatcher.ts'
import { fetchOver } from './dispatcher/fetch.ts'
import type { Explanation } from '../upstream/explain.ts'
import type { ClientOptions } from '../options/client-options.ts'
import { DEFAULTS, type Policy } from '../options/policy.ts'
import { checkClient } from '../options/schema.ts'
import type { UpstreamOptions } from '../options/upstream-options.ts'
import type { Reply } from '../outcome/reply.ts'
import { requestOf } from '../call/request.ts'
import type { CallOptions } from '../options/call-options.ts'
import { callPipeline, pipeline } from '../pipeline.ts'
import { StaleCache } from '../layers/stale/cache.ts'
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
  readonly #upstreams: Upstreams
  readonly #cache: StaleCache
  readonly #send: Send
  readonly #perform: Perform
  readonly #env: Env
  #closed: Promise<void> | undefined
  #fetch: typeof fetch | undefined

  /** @internal */
  constructor(options: ClientOptions) {
    super()
    const own = checkClient(options)
    this.name = own.name ?? nameOf(unnamed + 1)
    const env = envOf(own.env ?? systemEnv, this.name)
    this.#upstreams = new Upstreams(own, env)
    this.#env = env
    this.#cache = new StaleCache(own.maxStaleSize ?? DEFAULTS.client.maxStaleSize)
    this.#send = callPipeline(env)
    this.#perform = pipeline(this.#send, this.#upstreams, this.#cache)
    // Only a client that could be made takes a name.
    if (own.name === undefined) unnamed++
  }

  /**
   * Sends a request to a URL. The reply's body is buffered.
   *
   * Rejects with an UpstreamError, whose subclass says what happened; with the signal's own reason; or with an
   * OptionError.
   */
  request(method: string, url: string | URL, options?: CallOptions): ReplyPromise {
    return replyPromise(this.#request(method, url, options, false))
  }

  /**
   * Sends a request and gives the reply at its headers, its body as a stream. Read it, or destroy it: it holds a
   * permit.
   */
  stream(method: string, url: string | URL, options?: CallOptions): Promise<Reply> {
    return this.#request(method, url, options, true)
  }

  /** The upstream configured under a name or an origin. @throws OptionError if there is none. */
  upstream(name: string): UpstreamClient {
    return new UpstreamClient(this.#upstreams.named(name), this.#perform)
  }

  /**
   * The client as an undici dispatcher, for whatever takes one: its requests are protected as all others are, and streamed
   * through. A new one with each call; closing it ends its own requests and leaves the client as it is.
   *
   * @example
   * const { statusCode, body } = await request('http://orders.internal/7', { dispatcher: client.dispatcher() })
   */
  dispatcher(): ClientDispatcher {
    return new ClientDispatcher(new DispatcherCore(this.#upstreams, this.#send, this.#env), this.#upstreams.events)
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
    this.#upstreams.configure(name, options)
  }

  /**
   * Says what would happen to a call of this URL and why: its policy and where that is from, its circuit, and when it
   * will probe.
   */
  explain(url: string | URL): Explanation {
    return this.#upstreams.explain(split(url).origin)
  }

  /** The policy that applies to an origin now. @internal */
  policyOf(origin: string): Policy {
    return this.#upstreams.policyOf(origin)
  }

  /** Every upstream the client knows now. */
  snapshot(): UpstreamSnapshot[] {
    return this.#upstreams.all().map(upstream => upstream.snapshot())
  }

  /** Takes no new calls, lets those in flight finish or meet their deadline, then closes all connections. */
  close(): Promise<void> {
    this.#closed ??= this.#upstreams.close().then(() => { this.#cache.clear() })
    return this.#closed
  }

  /** Takes no new calls, ends those in flight, and closes all connections now. */
  async destroy(): Promise<void> {
    this.#cache.clear()
    await this.#upstreams.destroy()
  }

  /** The same as `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #request(method: string, url: string | URL, options: CallOptions | undefined, streamed: boolean): Promise<Reply> {
    try {
      // A plain URL of a known upstream needs no parsing: this is the way of nearly every call.
      const plain = typeof url === 'string' ? splitPlain(url) : undefined
      const known = plain === undefined ? undefined : this.#upstreams.known(plain.origin)
      if (plain !== undefined && known !== undefined) {
        return this.#perform(known, requestOf(method, plain, options, streamed))
      }
      const request = requestOf(method, split(url), options, streamed)
      return this.#perform(this.#upstreams.at(request.origin, request.method, request.target), request)
    } catch (error) {
      return Promise.reject(error)
    }
  }
}

let unnamed = 0
/** Most processes have one client; the others are numbered. */
const nameOf = (count: number): string => (count === 1 ? 'default' : `default-${count}`)

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
