"""Proofs that no write is lost: crowds, kills, full disks, servers that are dead, slow or only to be read."""
