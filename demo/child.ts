import type { Channel } from './messages.ts'

/**
 * Makes this process a child that never outlives its parent: whatever ends the parent closes the channel between them,
 * and that ends the child. Ctrl-C reaches the whole group; the parent alone decides what it means.
 *
 * @returns sends a message to the parent
 */
export function childOf<Between extends Channel>(
  receive: (message: Between['down']) => void,
): (message: Between['up']) => void {
  process.on('SIGINT', () => undefined)
  process.on('disconnect', () => process.exit())
  process.on('message', message => { receive(message as Between['down']) })
  return message => process.send?.(message, undefined, undefined, () => undefined)
}
