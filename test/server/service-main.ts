import { createServer } from 'node:http'
import { createClient } from '../../src/index.ts'
import { createHealth, gracefulShutdown, type ShutdownEvent } from '../../src/server/index.ts'
import { listen } from '../support/server.ts'

/*
 * A service in a process of its own: `service-main.ts <upstream> <grace> <timeout>`. `/` asks the upstream, `/slow` does so
 * once it is told to, `/hang` asks and never answers.
 */

/** What the service says to the test. */
export type Word = { readonly listening: number } | ShutdownEvent

const [upstream = '', grace, timeout] = process.argv.slice(2)
const say = (word: Word): void => { process.send?.(word) }
const told = new Promise(resolve => { process.once('message', resolve) })

const client = createClient({ upstreams: { upstream: { url: upstream } } })
const health = createHealth(client, { refresh: 0 })

const server = createServer((request, response) => {
  if (health(request, response)) return
  void (request.url === '/slow' ? told : Promise.resolve())
    .then(() => client.upstream('upstream').get('/').text())
    .then(body => request.url !== '/hang' && response.end(body), () => response.writeHead(502).end())
})
gracefulShutdown(server, client, { grace: Number(grace), timeout: Number(timeout), onStep: say })
say({ listening: await listen(server) })
