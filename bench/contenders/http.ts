import { Agent, request, type IncomingMessage } from 'node:http'
import { lengthOf, type Contender } from './contender.ts'

async function whole(reply: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of reply) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** Node's own client, with a keep-alive agent. */
export const nodeHttp: Contender = {
  name: 'node:http',
  protection: 'none',
  packages: [],
  open(origin, inFlight) {
    const agent = new Agent({ keepAlive: true, maxSockets: inFlight })
    const send = (path: string, body?: string): Promise<IncomingMessage> => new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
      request(origin + path, { agent, method: body === undefined ? 'GET' : 'POST', headers })
        .on('response', resolve).on('error', reject).end(body)
    })
    const parse = async (reply: IncomingMessage): Promise<unknown> => JSON.parse((await whole(reply)).toString()) as unknown
    return {
      json: async path => parse(await send(path)),
      post: async (path, value) => parse(await send(path, JSON.stringify(value))),
      bytes: async path => (await whole(await send(path))).byteLength,
      stream: async path => lengthOf(await send(path) as AsyncIterable<Uint8Array>),
      close: () => { agent.destroy() },
    }
  },
}
