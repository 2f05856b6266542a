/** A token of a structured field, which needs no quotes (RFC 9651 §3.3.4). */
const SF_TOKEN = /^[A-Za-z*][\w!#$%&'*+\-.^`|~:/]*$/

const item = (text: string): string =>
  SF_TOKEN.test(text) ? text : `"${text.replaceAll(/[^ -~]/g, '?').replaceAll(/["\\]/g, String.raw`\$&`)}"`

/** The parameters of a member of a Proxy-Status field. */
export interface ProxyStatusFields {
  readonly upstream: string | undefined
  readonly error?: string
  readonly details?: string | undefined
  readonly receivedStatus?: number
}

/** Serialises a member of a Proxy-Status field (RFC 9209 §2). */
export function proxyStatus(via: string, { upstream, error, details, receivedStatus }: ProxyStatusFields): string {
  const parameters = [
    item(via),
    ...(error === undefined ? [] : [`error=${error}`]),
    ...(upstream === undefined ? [] : [`next-hop=${item(upstream)}`]),
    ...(receivedStatus === undefined ? [] : [`received-status=${receivedStatus}`]),
    ...(details === undefined ? [] : [`details=${item(details)}`]),
  ]
  return parameters.join('; ')
}
