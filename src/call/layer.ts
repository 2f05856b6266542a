import type { Call } from './call.ts'
import type { Reply } from '../outcome/reply.ts'

/** Sends one call upstream and settles with its reply. */
export type Send = (call: Call) => Promise<Reply>

/** Wraps a {@link Send} in another that adds one kind of protection. */
export type Layer = (next: Send) => Send

/** Stacks layers: the first one listed is the first to see the call. */
export const stack = (...layers: Layer[]): Layer => innermost =>
  layers.reduceRight((next, layer) => layer(next), innermost)
