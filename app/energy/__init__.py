"""Energy and money: key figures now; tariffs, demand and settlement later."""
