import type { Layer } from '../layer.ts'
import { partsOf } from '../parts.ts'
import { rejected } from '../sent.ts'

/** Sends a call to an endpoint that admits it; a retry goes to another endpoint than the last if one admits it. */
export const route: Layer = next => call => {
  const { endpoints } = partsOf(call)
  const endpoint = endpoints.pick(call, call.at)
  if (endpoint === undefined) return rejected(endpoints.refuse(call.trace, call.at))
  call.endpoint = endpoint
  return next(call)
}
