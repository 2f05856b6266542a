import { Client, createClient } from '../client/client.ts'
import type { ClientDispatcher } from '../client/dispatcher/dispatcher.ts'
import { forHost } from '../client/dispatcher/fetch.ts'
import type { ClientOptions } from '../options/client-options.ts'
import { checkClient } from '../options/schema.ts'
import { EnvHttpProxyAgent } from '../transport/undici.ts'
import { checked, readConfig } from './config.ts'
import { placesAfter, type Place } from './place.ts'
import { isPreloaded } from './preloaded.ts'

interface Installed {
  readonly client: Client
  readonly dispatcher: ClientDispatcher
  /** Whether the client is the caller's, who closes it. */
  readonly isGiven: boolean
  readonly places: readonly Place[]
}

let installed: Installed | undefined

/**
 * Puts a client under the host's built-in `fetch`, and under whatever else sends by undici's global dispatcher: its
 * `WebSocket` and `EventSource`, and the `request` and `fetch` of an undici that the program has installed. From then on
 * their requests are protected as those of `client.dispatcher()` are.
 *
 * Loaded with `node --import breakwater/install` or NODE_OPTIONS, the module does this by itself; imported, it does nothing.
 *
 * Installing again exchanges the client; without options it gives the one that is there. `uninstall()` undoes it.
 *
 * @param options A client, or options for one. By default those of the environment variable BREAKWATER_CONFIG, which is the
 * path of a .json file, of a module that exports `options`, or JSON itself; if it is not set, the defaults.
 * @returns The client, to which metrics can be attached.
 * @throws OptionError when an option makes no sense; if it is of a file, with the file's name. Nothing is changed then.
 *
 * @example
 * const client = install({ deadline: 2_000 })
 * const response = await fetch('http://orders.internal:8080/7')
 */
export function install(options?: ClientOptions | Client): Client {
  if (options === undefined && installed !== undefined) return installed.client
  if (options !== undefined && options === installed?.client) return installed.client
  const places = placesAfter(installed?.places)
  const client = options instanceof Client ? options : made(options, places.some(place => place.isProxied))
  const dispatcher = client.dispatcher()
  const over = forHost(dispatcher)
  for (const place of places) place.take(dispatcher, over)
  const earlier = installed
  installed = { client, dispatcher, isGiven: options instanceof Client, places }
  for (const place of earlier?.places ?? []) place.retire()
  if (earlier !== undefined) void finished(earlier)
  return client
}

/**
 * Puts back exactly what was there before `install()`, at once; then lets requests in flight end and closes the client,
 * unless it was given to `install()`. Without an install it does nothing.
 *
 * Where somebody has set a global dispatcher since, theirs stays. If it is built on ours, it now stands on what was there
 * before.
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
  for (const place of ended.places) place.leave()
  await finished(ended)
}

/** Checked first, so that what is wrong is called by what the caller has written. */
function made(options: ClientOptions | undefined, isProxied: boolean): Client {
  const config = options === undefined ? readConfig() : { options, source: undefined }
  return checked(config, () => {
    checkClient(config.options)
    return createClient(isProxied ? proxied(config.options) : config.options)
  })
}

/** Where the host's `fetch` would have gone by a proxy of the environment, so do we, with the TLS options that are given. */
function proxied(options: ClientOptions): ClientOptions {
  const { tls, socketPath, ...pool } = { ...options.pool }
  if (pool.factory !== undefined || socketPath !== undefined) return options
  const secure = (tls === undefined ? {} : { connect: tls, requestTls: tls }) as EnvHttpProxyAgent.Options
  return { ...options, pool: { ...pool, factory: () => new EnvHttpProxyAgent({ allowH2: false, ...secure }) } }
}

async function finished({ client, dispatcher, isGiven }: Installed): Promise<void> {
  if (!isGiven) await client.close()
  else if (!dispatcher.destroyed) await dispatcher.close()
}

if (isPreloaded('breakwater/install', import.meta.url)) install()
