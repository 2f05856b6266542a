import { lengthOf, load, type Contender } from './contender.ts'

interface Ky {
  get(url: string): Promise<Response> & { json(): Promise<unknown>; arrayBuffer(): Promise<ArrayBuffer> }
  post(url: string, options: { readonly json: unknown }): { json(): Promise<unknown> }
}

/** ky as it comes, over the fetch of Node. */
export const ky: Contender = {
  name: 'ky',
  protection: 'retry, timeout',
  packages: ['ky'],
  async open(origin) {
    const { default: ky } = await load<{ readonly default: Ky }>('ky')
    return {
      json: path => ky.get(origin + path).json(),
      post: (path, value) => ky.post(origin + path, { json: value }).json(),
      bytes: async path => (await ky.get(origin + path).arrayBuffer()).byteLength,
      stream: async path => lengthOf((await ky.get(origin + path)).body as AsyncIterable<Uint8Array>),
      close: () => undefined,
    }
  },
}
