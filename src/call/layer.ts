import type { Call } from './call.ts'
import type { Reply } from '../outcome/reply.ts'

/** Sends one call to its upstream and settles with the reply. */
export type Send = (call: Call) => Promise<Reply>

/** Wraps a {@link Send}, or a function of another signature, to add one kind of protection. */
export type Layer<F = Send> = (next: F) => F

/** Composes layers: the first one listed is the outermost. */
export const stack = <F = Send>(...layers: Layer<F>[]): Layer<F> => innermost =>
  layers.reduceRight((next, layer) => layer(next), innermost)
