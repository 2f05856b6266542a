import { readFileSync } from 'node:fs'

const read = (name: string): string => readFileSync(new URL(`tls/${name}`, import.meta.url), 'utf8')

/** The self-signed certificate of the test servers, and its key; a client trusts it by giving `cert` as its `ca`. */
export const tls: { readonly key: string; readonly cert: string } = { key: read('key.pem'), cert: read('cert.pem') }
