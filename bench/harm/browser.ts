import { Agent, get } from 'node:http'
import type { Client } from '../../demo/clients/client.ts'

/** The answer had another status than 200. */
export class StatusError extends Error {
  readonly status: number

  constructor(status: number) {
    super(`status ${status}`)
    this.status = status
  }
}

/**
 * A caller as browsers are: connections are kept, and a new one is made where none is free; a request that met the end of a kept
 * one is sent again.
 *
 * @param deadline - ms after which it goes away.
 */
export function browser(deadline: number): Client {
  const agent = new Agent({ keepAlive: true })
  const call = (url: string): Promise<void> => new Promise((resolve, reject) => {
    let request = ask()
    const timer = setTimeout(() => { request.destroy(new Error('no answer in time')) }, deadline)
    const settle = (error?: Error): void => {
      clearTimeout(timer)
      if (error === undefined) resolve()
      else reject(error)
    }

    function ask(): ReturnType<typeof get> {
      const asked = get(url, { agent }, response => {
        response.on('error', settle).resume()
        response.on('end', () => { settle(response.statusCode === 200 ? undefined : new StatusError(response.statusCode ?? 0)) })
      })
      asked.on('error', (error: NodeJS.ErrnoException) => {
        if (asked.reusedSocket && error.code === 'ECONNRESET') request = ask()
        else settle(error)
      })
      return asked
    }
  })
  return { call, circuit: () => undefined, close: async () => { agent.destroy() } }
}
