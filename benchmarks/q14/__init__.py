"""NEXMark's query 14, a calculation over bids: two pipelines, the same executor in row form and in column form."""
