import type { Calls } from '../contenders/contender.ts'

/** What the server says to `GET /small` and to any POST. */
export const SMALL = { id: 7, name: 'invoice', paid: true, lines: [{ sku: 'a-1', count: 2, price: 1250 }], currency: 'EUR' }
/** What is sent by POST. */
export const POSTED = { customer: 42, lines: [{ sku: 'a-1', count: 2 }, { sku: 'b-9', count: 1 }], note: 'leave at the door' }
/** Bytes of `GET /large`. */
export const LARGE = 64 * 1024
/** Bytes of `GET /huge`. */
export const HUGE = 10 * 1024 * 1024

/** One way to use a client. */
export interface Case {
  readonly title: string
  /** Calls in flight. */
  readonly inFlight: number
  /** Makes one call and checks what came. */
  run(calls: Calls): Promise<void>
}

/** What is measured, by name. */
export const CASES = {
  get: {
    title: 'GET, small JSON', inFlight: 50,
    async run(calls) { checkJson(await calls.json('/small')) },
  },
  post: {
    title: 'POST, small JSON both ways', inFlight: 50,
    async run(calls) { checkJson(await calls.post('/small', POSTED)) },
  },
  large: {
    title: 'GET, 64 KiB buffered', inFlight: 50,
    async run(calls) { checkLength(await calls.bytes('/large'), LARGE) },
  },
  stream: {
    title: 'GET, 10 MiB streamed', inFlight: 4,
    async run(calls) { checkLength(await calls.stream('/huge'), HUGE) },
  },
} satisfies Record<string, Case>

/** The name of one of {@link CASES}. */
export type CaseName = keyof typeof CASES

function checkJson(value: unknown): void {
  if ((value as typeof SMALL).currency !== 'EUR') throw new Error('a reply is not what the server sent')
}

function checkLength(length: number, expected: number): void {
  if (length !== expected) throw new Error(`a reply of ${length} bytes, expected ${expected}`)
}
