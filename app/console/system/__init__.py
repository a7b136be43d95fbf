"""The tabs of the System page: who may, who did, which configuration, which secrets, and what it all runs on."""
