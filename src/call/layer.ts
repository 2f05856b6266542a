import type { Call } from './call.ts'
import type { Reply } from '../outcome/reply.ts'

/** Sends one call upstream and settles with its reply. */
export type Send = (call: Call) => Promise<Reply>

/** Wraps a {@link Send}, or another function of a whole stack, in one that adds one kind of protection. */
export type Layer<F = Send> = (next: F) => F

/** Stacks layers: the first one listed is the first to see the call. */
export const stack = <F = Send>(...layers: Layer<F>[]): Layer<F> => innermost =>
  layers.reduceRight((next, layer) => layer(next), innermost)
