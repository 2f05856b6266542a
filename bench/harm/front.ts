// What stands before the origin: a process of its own.
import type { AddressInfo } from 'node:net'
import { answer } from '../process/child.ts'
import { FRONTS } from './fronts.ts'

/** Which one, before which origin. */
export interface Standing {
  readonly front: keyof typeof FRONTS
  readonly origin: string
}

answer({
  async open({ front, origin }: Standing) {
    const server = await FRONTS[front](origin)
    return new Promise<string>(resolve => {
      server.listen(0, '127.0.0.1', 4_096, () => { resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`) })
    })
  },
  /** The most memory it has had, in bytes. */
  memory: () => process.resourceUsage().maxRSS * 1_024,
})
