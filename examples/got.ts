import { createClient, type Body, type Client } from 'breakwater'
import got, { type BeforeRequestHook, type Got } from 'got'
import type { IncomingMessage } from 'node:http'

/**
 * got accepts neither a fetch nor a dispatcher, but a hook that sends the request in its place. got keeps its options,
 * redirects, JSON and HTTPError; the client retries, waits and refuses. A `RequestError` has the client's error as its
 * `cause`. Of got's timeouts, only `request` has an effect.
 */
export const gotOver = (client: Client): Got => got.extend({ retry: { limit: 0 }, hooks: { beforeRequest: [sendBy(client)] } })

const sendBy = (client: Client): BeforeRequestHook => async ({ method, url, headers, body, signal, isStream }) => {
  // A body written to got.stream.post() would arrive after this hook has sent the request.
  if (isStream && body === undefined && method !== 'GET' && method !== 'HEAD') throw new TypeError('give the body as an option')
  const reply = await client.stream(method, String(url), {
    headers: headers as Record<string, string>,
    body: body as Body,
    signal,
    throwOnStatus: false,
    decode: false,
    redirects: 0,
  })
  return Object.assign(reply.body, { statusCode: reply.status, headers: reply.headers }) as unknown as IncomingMessage
}

if (import.meta.main) {
  const client = createClient({ deadline: 2_000 })
  console.log(await gotOver(client)('http://localhost:4000/invoices/7').json())
  await client.close()
}
