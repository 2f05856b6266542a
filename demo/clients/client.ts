/** The circuit as a person would put it. */
export interface Circuit {
  /** Its state in one word: closed, open, half-open, ... */
  readonly state: string
  /** Why it is in that state. */
  readonly why: string
}

/** What goes on inside a client at one moment. */
export interface Inside {
  /** Attempts that may be in flight, attempts that are, and calls that wait for their turn. */
  readonly limit: number
  readonly inFlight: number
  readonly waiting: number
  /** What is left for retries. */
  readonly tokens: number
  /** The place of the circuit's state in {@link circuitStates}. */
  readonly circuit: number
}

/** The states a circuit can be in, in a demo. */
export const circuitStates = ['closed', 'half-open', 'open'] as const

/** What the demo needs of a client. */
export interface Client {
  /** Makes one GET call; settles when the reply's JSON is there, rejects when the call failed. */
  call(url: string): Promise<void>
  /** The circuit in front of a url, of a client that has one. */
  circuit(url: string): Circuit | undefined
  /** What goes on inside, of a client that can tell. */
  inside?(url: string): Inside | undefined
  close(): Promise<void>
}
