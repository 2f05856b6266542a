import type { Send } from '../call/layer.ts'
import type { Perform } from '../upstream/perform.ts'
import { systemEnv, type Env } from '../clock.ts'
import { release } from '../http/body.ts'
import { DispatcherCore } from './dispatcher/core.ts'
import { Upstreams } from '../upstream/upstreams.ts'
import { ClientDispatcher } from './dispatcher/dispatcher.ts'
import { fetchOver } from './dispatcher/fetch.ts'
import type { Explanation } from '../upstream/explain.ts'
import { counters } from '../outcome/counters.ts'
import type { ClientOptions } from '../options/client-options.ts'
import { DEFAULTS, type Policy } from '../options/policy.ts'
import { checkClient } from '../options/schema.ts'
import type { UpstreamOptions } from '../options/upstream-options.ts'
import type { Reply } from '../outcome/reply.ts'
import { requestOf, type Request } from '../call/request.ts'
import type { CallOptions } from '../options/call-options.ts'
import { callPipeline, pipeline } from '../pipeline.ts'
import { StaleCache } from '../layers/stale/cache.ts'
import { split, splitPlain } from '../http/target.ts'
import { UpstreamClient } from './upstream-client.ts'
import type { UpstreamSnapshot } from '../upstream/snapshot.ts'
import { replyPromise, Verbs, type ReplyPromise } from './verbs.ts'

/**
 * A client for all upstreams a service calls. Create one per process and share it: connections, circuits and budgets belong to
 * the client.
 */
export class Client extends Verbs<string | URL> implements AsyncDisposable {
  /** Its name in events and metrics. */
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
    this.name = own.name ?? defaultName(counters.unnamed + 1)
    const env = envOf(own.env ?? systemEnv, this.name)
    this.#upstreams = new Upstreams(own, env)
    this.#env = env
    this.#cache = new StaleCache(own.maxStaleSize ?? DEFAULTS.client.maxStaleSize)
    this.#send = callPipeline(env)
    this.#perform = pipeline(this.#send, this.#upstreams, this.#cache)
    // A client whose construction fails takes no name.
    if (own.name === undefined) counters.unnamed++
  }

  /**
   * Sends a request to a URL. The reply's body is buffered.
   *
   * Rejects with an UpstreamError, whose subclass says what happened; with the abort reason of the signal; or with an
   * OptionError.
   */
  request(method: string, url: string | URL, options?: CallOptions): ReplyPromise {
    return replyPromise(this.#request(method, url, options, false))
  }

  /**
   * Sends a request and resolves at the reply's headers, with the body as a stream. Read the body or destroy it: it holds a
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
   * The client as an undici dispatcher, for any API that accepts one: its requests have the same protections as all others, and
   * are streamed through. Each call returns a new dispatcher; closing one affects only its own requests, not the client.
   *
   * @example
   * const { statusCode, body } = await request('http://orders.internal/7', { dispatcher: client.dispatcher() })
   */
  dispatcher(): ClientDispatcher {
    return new ClientDispatcher(new DispatcherCore(this.#upstreams, this.#send, this.#env), this.#upstreams.events)
  }

  /**
   * The built-in `fetch` with the client's protections, for any library that accepts one. It need not be called as a method.
   *
   * @example
   * const { fetch } = client
   * const response = await fetch('http://orders.internal/7', { signal: AbortSignal.timeout(1_000) })
   */
  get fetch(): typeof fetch {
    return (this.#fetch ??= fetchOver(this.dispatcher()))
  }

  /**
   * Overrides options of an upstream configured by name or origin, at runtime: its circuits, windows, budget and connections
   * stay. If one option is invalid, none is applied.
   * @throws OptionError
   */
  configure(name: string, options: UpstreamOptions): void {
    this.#upstreams.configure(name, options)
  }

  /**
   * Explains what would happen to a call to this URL: its policy and where that comes from, the state of its circuit, and the
   * time of the next probe.
   */
  explain(url: string | URL): Explanation {
    return this.#upstreams.explain(split(url).origin)
  }

  /** The policy that applies to an origin now. @internal */
  policyOf(origin: string): Policy {
    return this.#upstreams.policyOf(origin)
  }

  /** The state of all current upstreams. */
  snapshot(): UpstreamSnapshot[] {
    return this.#upstreams.all().map(upstream => upstream.snapshot())
  }

  /** Takes no new calls, waits until those in flight finish or exceed their deadline, then closes all connections. */
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
    let request: Request | undefined
    try {
      // A plain URL of a known upstream needs no parsing; nearly every call has one.
      const plain = typeof url === 'string' ? splitPlain(url) : undefined
      const known = plain === undefined ? undefined : this.#upstreams.known(plain.origin)
      if (plain !== undefined && known !== undefined) {
        return this.#perform(known, requestOf(method, plain, options, streamed))
      }
      request = requestOf(method, split(url), options, streamed)
      return this.#perform(this.#upstreams.at(request.origin, request.method, request.target), request)
    } catch (error) {
      // No upstream takes it.
      release(request?.body)
      return Promise.reject(error)
    }
  }
}

/** The name of an unnamed client. Most processes have one; further ones are numbered. */
const defaultName = (count: number): string => (count === 1 ? 'default' : `default-${count}`)

/** Adds the client's name. The given env may be an instance of a class, whose methods a copy would lose. */
const envOf = (env: Env, client: string): Env => ({ clock: env.clock, random: () => env.random(), client })

/**
 * Creates a client.
 *
 * @example
 * const client = createClient({ deadline: 2_000 })
 * const invoice = await client.get('http://payments.internal:8080/invoices/7').json()
 *
 * @throws OptionError for an invalid option; it names the option, the value and what was expected.
 */
export const createClient = (options: ClientOptions = {}): Client => new Client(options)
