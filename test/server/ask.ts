import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'

/** A reply, read to its end. */
export interface Answer {
  readonly status: number | undefined
  readonly connection: string | undefined
  readonly body: string
}

/** One GET, on a connection of its own unless an agent says otherwise. */
export const ask = async (url: string, agent: http.Agent | false = false): Promise<Answer> => {
  const { get } = url.startsWith('https:') ? https : http
  const request = get(url, { agent, rejectUnauthorized: false } as https.RequestOptions)
  const [response] = await once(request, 'response') as [http.IncomingMessage]
  return { status: response.statusCode, connection: response.headers.connection, body: await text(response) }
}

/** A connection that sends what it is given and no more; what comes back is collected. */
export const dial = async (port: number, bytes = ''): Promise<{ readonly socket: Socket; received(): string }> => {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.on('data', (chunk: Buffer) => { received += chunk.toString() }).on('error', () => undefined)
  await once(socket, 'connect')
  if (bytes !== '') socket.write(bytes)
  return { socket, received: () => received }
}
