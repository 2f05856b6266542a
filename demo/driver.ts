// Drives an open-loop load through one client: a process of its own, so that no client can slow another down.
import { clients } from './clients/index.ts'
import { driveClient } from './drive-client.ts'

driveClient(clients, 200)
