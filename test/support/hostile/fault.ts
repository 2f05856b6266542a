import type { Socket } from 'node:net'

/** A moment at which a fault may act: a connection was accepted, or a request has come in whole. */
export interface Exchange {
  readonly socket: Socket
  /** The request's path without its query; '' at accept. */
  readonly path: string
  /** How many requests this connection has brought before this one. */
  readonly turn: number
}

/** One way for an upstream to be bad. */
export interface Fault {
  readonly name: string
  /** When it acts: as soon as a connection is accepted, or when a request has come in. */
  readonly at: 'accept' | 'request'
  /** How often it has really done its harm: a test whose fault never fired has proved nothing. */
  readonly fired: number
  /** Settles when what it sends is made; a server waits for it before it listens. */
  readonly ready: Promise<unknown>
  /** Does it. */
  act(exchange: Exchange): void
}

/** What a fault does; it calls `fire` at the moment the harm is done. */
export type Act = (exchange: Exchange, fire: () => void) => void

/** Makes a fault out of what it does. */
export const fault = (
  name: string, act: Act, { at = 'request', ready = Promise.resolve() }: Partial<Pick<Fault, 'at' | 'ready'>> = {},
): Fault => {
  let fired = 0
  return {
    name,
    at,
    ready,
    get fired(): number { return fired },
    act: exchange => act(exchange, () => { fired++ }),
  }
}
