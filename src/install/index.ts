/**
 * A client under the built-in `fetch` of Node.js: `node --import breakwater/install app.js`, or {@link install} in a program.
 *
 * @module breakwater/install
 */
import { Client, createClient } from '../client/client.ts'
import type { ClientDispatcher } from '../client/dispatcher/dispatcher.ts'
import { forHost } from '../client/dispatcher/fetch.ts'
import type { ClientOptions } from '../options/client-options.ts'
import { checkClient } from '../options/schema.ts'
import { EnvHttpProxyAgent } from '../transport/undici.ts'
import { readConfig, withSource } from './config.ts'
import { slotsAfter, type DispatcherSlot } from './dispatcher-slot.ts'
import { isPreloaded } from './preloaded.ts'

interface Installed {
  readonly client: Client
  readonly dispatcher: ClientDispatcher
  /** Whether the caller passed the client, and closes it. */
  readonly isExternal: boolean
  readonly slots: readonly DispatcherSlot[]
}

let installed: Installed | undefined

/**
 * Makes the built-in `fetch` use a client, and all else that uses undici's global dispatcher: the built-in `WebSocket` and
 * `EventSource`, and the `request` and `fetch` of an undici that the program has installed. From then on their requests have
 * the same protections as those of `client.dispatcher()`.
 *
 * Loaded with `node --import breakwater/install` or NODE_OPTIONS, the module does this by itself; imported, it does nothing.
 *
 * Installing again replaces the client; without options it returns the installed one. `uninstall()` undoes it.
 *
 * @param options A client, or options for one. By default those of the environment variable BREAKWATER_CONFIG, which is the
 * path of a .json file, of a module that exports `options`, or JSON itself; if it is not set, the defaults.
 * @returns The client, to which metrics can be attached.
 * @throws OptionError for an invalid option, with the name of the file it is from. Nothing is changed then.
 *
 * @example
 * const client = install({ deadline: 2_000 })
 * const response = await fetch('http://orders.internal:8080/7')
 */
export function install(options?: ClientOptions | Client): Client {
  if (options === undefined && installed !== undefined) return installed.client
  if (options !== undefined && options === installed?.client) return installed.client
  const slots = slotsAfter(installed?.slots)
  const client = options instanceof Client ? options : createFrom(options, slots.some(slot => slot.isProxied))
  const dispatcher = client.dispatcher()
  const over = forHost(dispatcher)
  for (const slot of slots) slot.install(dispatcher, over)
  const earlier = installed
  installed = { client, dispatcher, isExternal: options instanceof Client, slots }
  for (const slot of earlier?.slots ?? []) slot.retire()
  if (earlier !== undefined) void finished(earlier)
  return client
}

/**
 * Restores the global dispatchers from before `install()`, at once; then lets requests in flight end and closes the client,
 * unless it was passed to `install()`. Without an install it does nothing.
 *
 * A global dispatcher that other code has set since stays. If it is built on the installed one, it now uses the dispatcher from
 * before `install()`.
 *
 * @returns Settles when the last request has ended, its body read or cancelled.
 *
 * @example
 * await uninstall()
 */
export async function uninstall(): Promise<void> {
  const ended = installed
  installed = undefined
  if (ended === undefined) return
  for (const slot of ended.slots) slot.restore()
  await finished(ended)
}

/** Creates the client. The options are checked before any is added, so that errors refer to what the caller wrote. */
function createFrom(options: ClientOptions | undefined, isProxied: boolean): Client {
  const config = options === undefined ? readConfig() : { options, source: undefined }
  return withSource(config, () => {
    checkClient(config.options)
    return createClient(isProxied ? proxied(config.options) : config.options)
  })
}

/** Uses the proxy settings of the environment, as the host's `fetch` did. */
function proxied(options: ClientOptions): ClientOptions {
  const { tls, socketPath, ...pool } = { ...options.pool }
  if (pool.factory !== undefined || socketPath !== undefined) return options
  const secure = (tls === undefined ? {} : { connect: tls, requestTls: tls }) as EnvHttpProxyAgent.Options
  return { ...options, pool: { ...pool, factory: () => new EnvHttpProxyAgent({ allowH2: false, ...secure }) } }
}

async function finished({ client, dispatcher, isExternal }: Installed): Promise<void> {
  if (!isExternal) await client.close()
  else if (!dispatcher.destroyed) await dispatcher.close()
}

if (isPreloaded('breakwater/install', import.meta.url)) install()
