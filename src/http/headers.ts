/** Header fields of a request. An undefined value leaves the field out. */
export type HeaderFields = Readonly<Record<string, string | readonly string[] | undefined>>

/** A token (RFC 9110 §5.6.2): what a field name or a method is made of. */
export const TOKEN: RegExp = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** Header fields with their names in lower case. */
export const lowerCased = (headers: HeaderFields): HeaderFields =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

/** Fields about one connection, or about the proxy itself, which no hop passes on (RFC 9110 §7.6.1, §11.7; RFC 7540 §3.2.1). */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings',
  'proxy-authenticate', 'proxy-authentication-info', 'proxy-authorization',
])
