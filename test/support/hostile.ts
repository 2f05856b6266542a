import { createServer, type Socket } from 'node:net'
import type { Fault } from './hostile/fault.ts'
import { readRequests } from './hostile/requests.ts'
import { listen } from './server.ts'

export { closedPort, type ClosedPort } from './hostile/closed-port.ts'
export * from './hostile/connections.ts'
export * from './hostile/encodings.ts'
export { fault, type Act, type Exchange, type Fault } from './hostile/fault.ts'
export * from './hostile/floods.ts'
export * from './hostile/framing.ts'
export * from './hostile/statuses.ts'
export * from './hostile/wire.ts'

/** One fault for every connection, or one for each path; a path that has none is hung up on. */
export type Faults = Fault | Readonly<Record<string, Fault>>

/** An upstream that means harm, over bare sockets. */
export interface HostileServer extends AsyncDisposable {
  /** The origin, without a slash at its end. */
  readonly url: string
  readonly port: number
  /** Requests that came in whole. */
  readonly requests: number
  /** Connections open now. */
  readonly connections: number
  /** Connections accepted so far. */
  readonly accepted: number
  /** Bytes given to the system to send so far, on all connections. */
  readonly sent: number
  /** Does other harm from now on, on open connections too. */
  handle(faults: Faults): void
  /** Destroys every connection and stops listening; safe to call twice. */
  close(): Promise<void>
}

const isFault = (faults: Faults): faults is Fault => typeof faults['act'] === 'function'

/** Starts a hostile server on 127.0.0.1. A fault counts its own harm in its `fired`. */
export const startHostile = async (faults: Faults): Promise<HostileServer> => {
  const sockets = new Set<Socket>()
  let current = faults
  let [requests, accepted, sentBefore] = [0, 0, 0]

  const server = createServer({ noDelay: true }, socket => {
    accepted++
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => {
      sockets.delete(socket)
      sentBefore += socket.bytesWritten
    })
    const atAccept = isFault(current) && current.at === 'accept'
    readRequests(socket, (path, turn) => {
      requests++
      const chosen = isFault(current) ? current : current[path]
      if (chosen === undefined) socket.destroy()
      else if (!atAccept) chosen.act({ socket, path, turn })
    })
    if (isFault(current) && current.at === 'accept') current.act({ socket, path: '', turn: 0 })
  })
  await Promise.all((isFault(faults) ? [faults] : Object.values(faults)).map(({ ready }) => ready))
  const port = await listen(server)

  let closed: Promise<void> | undefined
  const close = (): Promise<void> => closed ??= new Promise(resolve => {
    server.close(() => resolve())
    for (const socket of sockets) socket.destroy()
  })

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    get requests(): number { return requests },
    get connections(): number { return sockets.size },
    get accepted(): number { return accepted },
    get sent(): number { return [...sockets].reduce((sum, socket) => sum + socket.bytesWritten, sentBefore) },
    handle(next): void { current = next },
    close,
    [Symbol.asyncDispose]: close,
  }
}
