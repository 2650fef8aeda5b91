// Spike: from 50 users to 1000 within two minutes, and back.
// What must hold is said by the policy (../peakgate.yaml), not here.

import { anyUser } from './lib/users.js';

export const options = {
  stages: [
    { duration: '2m', target: 50 },
    { duration: '2m', target: 1000 },
    { duration: '5m', target: 1000 },
    { duration: '2m', target: 50 },
    { duration: '2m', target: 0 },
  ],
};

export default function () {
  anyUser();
}
