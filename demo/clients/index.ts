import { bare } from './bare.ts'
import { breakwater } from './breakwater.ts'
import type { Client } from './client.ts'

/** The clients that are compared: each is made for one url and a deadline in milliseconds. */
export const clients: Readonly<Record<string, (url: string, deadline: number) => Client>> = {
  'bare undici': bare,
  breakwater,
}
