// Peak: the greatest load that is expected, 500 users.
// What must hold is said by the policy (../peakgate.yaml), not here.

import { anyUser } from './lib/users.js';

export const options = {
  stages: [
    { duration: '5m', target: 500 },
    { duration: '10m', target: 500 },
    { duration: '5m', target: 0 },
  ],
};

export default function () {
  anyUser();
}
