"""What mail is sent from: domains, IPs, pools, and the DNS they need."""
