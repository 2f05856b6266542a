import { AssertionError } from 'node:assert/strict'
import { inspect } from 'node:util'

/** The error that `promise` rejects with; it must be of this class. */
export const failure = async <E>(promise: Promise<unknown>, kind: abstract new (...args: never[]) => E): Promise<E> => {
  const settled = await promise.then(value => ({ value }), (error: unknown) => ({ error }))
  if ('error' in settled && settled.error instanceof kind) return settled.error
  const message = 'error' in settled ? `failed with ${inspect(settled.error)}` : `settled with ${inspect(settled.value)}`
  throw new AssertionError({ message: `expected a ${kind.name}, but it ${message}` })
}
