/** What a client of the comparison can do; each way of asking is how its own documentation does it. */
export interface Calls {
  /** GET of a path: the parsed JSON. */
  json(path: string): Promise<unknown>
  /** POST of a value as JSON: the parsed JSON of the reply. */
  post(path: string, value: unknown): Promise<unknown>
  /** GET of a path: how long the buffered body is. */
  bytes(path: string): Promise<number>
  /** GET of a path: how long the body is, read chunk by chunk. */
  stream(path: string): Promise<number>
  close(): Promise<void> | void
}

/** One client of the comparison. */
export interface Contender {
  readonly name: string
  /** What protects a call. */
  readonly protection: string
  /** Packages it needs whose version the report names. */
  readonly packages: readonly string[]
  /** Makes a client of one origin, with room for so many calls in flight. */
  open(origin: string, inFlight: number): Promise<Calls> | Calls
}

/** Counts the bytes of a body as they come. */
export async function lengthOf(body: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0
  for await (const chunk of body) length += chunk.byteLength
  return length
}

/**
 * Loads a package of bench/node_modules. Its name is not a literal and its type is given here, so that lint and types
 * hold on a machine where the peers are not installed.
 */
export const load = async <Module>(name: string): Promise<Module> => await import(name) as Module
