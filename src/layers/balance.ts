import type { Layer } from '../call/layer.ts'
import { upstreamOf } from '../upstream/of-call.ts'
import { rejected } from '../call/completion.ts'

/** Sends a call to an endpoint that admits it; a retry goes to a different endpoint than the last attempt if one admits it. */
export const balance: Layer = next => call => {
  const { endpoints } = upstreamOf(call)
  const endpoint = endpoints.pick(call, call.at)
  if (endpoint === undefined) return rejected(endpoints.refuse(call.trace, call.at))
  call.endpoint = endpoint
  return next(call)
}
