/** The circuit as a person would put it. */
export interface Circuit {
  /** Its state in one word: closed, open, half-open, ... */
  readonly state: string
  /** Why it is in that state. */
  readonly why: string
}

/** What the demo needs of a client. */
export interface Client {
  /** Makes one GET call; settles when the reply's JSON is there, rejects when the call failed. */
  call(url: string): Promise<void>
  /** The circuit in front of a url, of a client that has one. */
  circuit(url: string): Circuit | undefined
  close(): Promise<void>
}
